//! The cases with bytes, words, lines and versions changed, always in the same way: whatever is written, nothing panics.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use devloop_config::ConfigSource;
use devloop_config::NoFetch;
use devloop_config::effective_yaml;
use devloop_config::load;
use devloop_config::names;

use crate::cases::Case;
use crate::cases::cases;

/// Words that mean something to the reader.
const WORDS: [&str; 24] = [
    "&a ",
    "*a",
    "<<: ",
    "- ",
    "? ",
    "!!str ",
    "---\n",
    "...\n",
    "~",
    "{}",
    "[]",
    "\t",
    "\r\n",
    "\u{feff}",
    "99999999999999999999",
    "-1",
    ".inf",
    "{{.A}}",
    "{{",
    "商",
    "\0",
    "%YAML 1.2\n",
    "| \n",
    "'",
];

/// Numbers that look random, and are the same in every run (xorshift).
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    fn place(&mut self, text: &str) -> usize {
        text.floor_char_boundary(self.below(text.len() + 1))
    }
}

fn changed(text: &str, other: &str, versions: &[String], choices: &mut Choices) -> String {
    let mut text = text.to_owned();
    for _ in 0..=choices.below(3) {
        let (one, two) = (choices.place(&text), choices.place(&text));
        let (start, end) = (one.min(two), one.max(two));
        match choices.below(8) {
            0 => text.insert_str(start, WORDS[choices.below(WORDS.len())]),
            1 => text.replace_range(start..text.floor_char_boundary(end.min(start + 12)), ""),
            2 => text.replace_range(start..text.floor_char_boundary(end.min(start + 6)), WORDS[choices.below(WORDS.len())]),
            3 => {
                let copied = text[start..end].to_owned();
                text.insert_str(end, &copied);
            }
            4 => {
                let mut lines: Vec<&str> = text.lines().collect();
                let (one, two) = (choices.below(lines.len()), choices.below(lines.len()));
                if !lines.is_empty() {
                    lines.swap(one, two);
                }
                text = lines.join("\n");
            }
            5 => {
                let (from, to) = (choices.place(other), choices.place(other));
                text.insert_str(start, &other[from.min(to)..from.max(to)]);
            }
            _ => {
                let version = format!("apiVersion: {}", versions[choices.below(versions.len())]);
                let lines: Vec<&str> = text.lines().map(|line| if line.starts_with("apiVersion: ") { &*version } else { line }).collect();
                text = lines.join("\n");
            }
        }
    }
    text
}

fn read(case: &Case, text: &str) {
    let root = ConfigSource::Text { name: case.name.clone(), text: text.to_owned() };
    let mut options = case.options();
    options.profiles = names(&root, &case.dir).profiles.into_iter().collect();
    if let Err(error) = load(&root, &options, &NoFetch) {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(text) = effective_yaml(&root, &options, &NoFetch, None) {
        assert!(text.starts_with("apiVersion: "), "{text}");
    }
}

#[test]
fn nothing_that_is_written_makes_the_reader_panic() {
    let versions = devloop_config::schema_versions();
    let cases: Vec<Case> = cases("valid").into_iter().chain(cases("invalid")).collect();
    let mut choices = Choices(0x9e37_79b9_7f4a_7c15);
    for case in &cases {
        for _ in 0..6 {
            let other = &cases[choices.below(cases.len())].text;
            let text = changed(&case.text, other, &versions, &mut choices);
            let outcome = catch_unwind(AssertUnwindSafe(|| read(case, &text)));
            assert!(outcome.is_ok(), "of {}:\n{text}", case.name);
        }
    }
}
