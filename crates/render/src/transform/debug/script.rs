//! A shell script whose last command starts a program: as much of a shell's grammar as it takes to find that command.

use super::command_line::Word;

/// A script, in three parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// What comes before the last command, an `exec` and assignments of its own included.
    pub(super) head: String,
    /// The last command.
    pub(super) words: Vec<Word>,
    /// What redirects its output.
    pub(super) tail: String,
}

impl Script {
    /// Returns the parts of a script of plain commands, one after the other; none for anything else that a shell can do.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (mut words, mut word, mut quote, mut tail) = (Vec::new(), None, None, text.len());
        let mut letters = text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            match (quote, letter) {
                (Some(open), _) if letter == open => {
                    quote = None;
                    keep(&mut word, at, None, &letter.to_string());
                }
                (None, '\'' | '"') => {
                    quote = Some(letter);
                    keep(&mut word, at, None, &letter.to_string());
                }
                (None | Some('"'), '\\') => {
                    let (_, next) = letters.next()?;
                    keep(&mut word, at, Some(next), &format!("\\{next}"));
                }
                // What runs a command to get words is beyond this.
                (None | Some('"'), '`') | (None, '|' | '(' | ')') => return None,
                (None | Some('"'), '$') if letters.peek().is_some_and(|(_, next)| *next == '(') => return None,
                (None, ' ' | '\t') => words.extend(word.take()),
                (None, ';' | '\n') => (words, word) = (Vec::new(), None),
                (None, '&') => {
                    letters.next_if(|(_, next)| *next == '&')?;
                    (words, word) = (Vec::new(), None);
                }
                // Within a word, a `#` or a brace is a letter like any other.
                (None, '{' | '}' | '#') if word.is_none() => return None,
                (None, '<' | '>') => {
                    // `2>&1`: the number belongs to the redirection.
                    let number = word.take_if(|(_, word)| word.value.chars().all(|c| c.is_ascii_digit()));
                    tail = number.map_or(at, |(at, _)| at);
                    break;
                }
                _ => keep(&mut word, at, Some(letter), &letter.to_string()),
            }
        }
        words.extend(word);
        if quote.is_some() || text[tail..].contains(['|', ';', '\n', '`']) || text[tail..].contains("&&") {
            return None;
        }
        let is_before = |(_, word): &&(usize, Word)| word.value == "exec" || is_assignment(&word.written);
        let own = words.iter().take_while(is_before).count();
        let words = words.split_off(own);
        let (start, first) = words.first()?;
        if KEYWORDS.contains(&first.value.as_str()) {
            return None;
        }
        let tail = if tail < text.len() { format!(" {}", &text[tail..]) } else { String::new() };
        Some(Self { head: text[..*start].to_owned(), words: words.into_iter().map(|(_, word)| word).collect(), tail })
    }
}

/// Adds to the word that is being read; one that begins here begins at `at`.
fn keep(word: &mut Option<(usize, Word)>, at: usize, value: Option<char>, written: &str) {
    let (_, word) = word.get_or_insert_with(|| (at, Word { value: String::new(), written: String::new() }));
    word.value.extend(value);
    word.written.push_str(written);
}

/// Words that make more than a plain command.
const KEYWORDS: [&str; 14] = ["if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "trap", "wait"];

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_plain_commands_is_found() {
        for (text, head, words, tail) in [
            ("node server.js", "", &["node", "server.js"][..], ""),
            ("  exec node  server.js ", "  exec ", &["node", "server.js"], ""),
            ("./migrate; A=1 B=\"2 3\" ./app", "./migrate; A=1 B=\"2 3\" ", &["./app"], ""),
            ("./migrate && ./app --x=\"$X\"", "./migrate && ", &["./app", "--x=\"$X\""], ""),
            ("./app >> /log 2>&1", "", &["./app"], " >> /log 2>&1"),
            ("./app 2>&1", "", &["./app"], " 2>&1"),
            ("./app ${A} a#b 'x;y'", "", &["./app", "${A}", "a#b", "'x;y'"], ""),
        ] {
            let script = Script::read(text).unwrap_or_else(|| panic!("{text}"));
            let written: Vec<&str> = script.words.iter().map(|word| word.written.as_str()).collect();
            assert_eq!((script.head.as_str(), &*written, script.tail.as_str()), (head, words, tail), "{text}");
        }
    }

    #[test]
    fn more_than_plain_commands_is_left_alone() {
        for text in [
            "",
            "a | b",
            "a & b",
            "a &",
            "(a)",
            "a || b",
            "$(a) b",
            "a `b`",
            "'a",
            "if a; then b; fi",
            "while true; do a; done",
            "a # b",
            "a > b; c",
            "{ a; }",
            "trap x EXIT",
        ] {
            assert_eq!(Script::read(text), None, "{text}");
        }
    }
}
