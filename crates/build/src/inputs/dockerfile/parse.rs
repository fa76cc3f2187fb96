//! Dockerfile text to instructions, as far as inputs depend on it: lines, continuations, comments,
//! flags and here-documents, by the rules of BuildKit's `frontend/dockerfile/parser`.
//!
//! No crate does: the one there is rejects here-documents that do not stand first in a RUN.

use super::words;

/// A Dockerfile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// The escape character: `\`, or `` ` `` by directive.
    pub(crate) escape: char,
    /// Whether a `# syntax=` directive names another grammar, so that unknown words are no faults.
    pub(crate) has_syntax: bool,
    /// The instructions, in order.
    pub(crate) instructions: Vec<Instruction>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Line that it starts in, from 1.
    pub(crate) line: usize,
    /// Its name, in upper case.
    pub(crate) name: String,
    /// `--name=value` words before the arguments.
    pub(crate) flags: Vec<(String, String)>,
    /// What is behind them, continuations joined.
    pub(crate) arguments: String,
}

/// Why a Dockerfile does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct ParseError {
    /// Line, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) why: String,
    /// The word that is wrong; empty for the whole line.
    pub(crate) word: String,
}

/// Every instruction there is.
const KNOWN: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

impl Dockerfile {
    /// Returns the instructions of `text`.
    ///
    /// # Errors
    /// When the builder would reject it for its form.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate();
        let (escape, has_syntax) = directives(text);
        let mut instructions = Vec::new();
        while let Some((at, first)) = lines.next() {
            if is_comment(first) || first.trim().is_empty() {
                continue;
            }
            let logical = joined(first.trim_start(), escape, &mut lines);
            let instruction = Instruction::parse(&logical, at + 1, escape);
            instruction.check(has_syntax, instructions.is_empty())?;
            for end in instruction.heredocs(escape) {
                skip_heredoc(&end, &mut lines).ok_or_else(|| ParseError {
                    line: at + 1,
                    why: format!("the here-document does not end: there is no line `{}`", end.word),
                    word: String::new(),
                })?;
            }
            instructions.push(instruction);
        }
        if !instructions.iter().any(|instruction| instruction.name == "FROM") {
            return Err(ParseError { line: 1, why: "there is no FROM".to_owned(), word: String::new() });
        }
        Ok(Self { escape, has_syntax, instructions })
    }
}

impl Instruction {
    /// Returns the instruction in one logical line.
    pub(crate) fn parse(logical: &str, line: usize, escape: char) -> Self {
        let (name, mut rest) = split_word(logical.trim());
        let mut flags = Vec::new();
        while rest.starts_with("--") {
            let word = words::first(rest, escape);
            rest = rest[word.len()..].trim_start();
            if word == "--" {
                break;
            }
            let (flag, value) = word[2..].split_once('=').unwrap_or((&word[2..], "true"));
            flags.push((flag.to_lowercase(), words::unquote(value, escape)));
        }
        Self { line, name: name.to_uppercase(), flags, arguments: rest.to_owned() }
    }

    /// Returns the value of a flag.
    pub(crate) fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    /// Returns the arguments as words: a JSON list, or what white space separates.
    pub(crate) fn words(&self, escape: char) -> Vec<String> {
        if self.arguments.starts_with('[')
            && let Ok(list) = serde_json::from_str::<Vec<String>>(&self.arguments)
        {
            return list;
        }
        words::split(&self.arguments, escape).map(str::to_owned).collect()
    }

    fn check(&self, has_syntax: bool, is_first: bool) -> Result<(), ParseError> {
        let fail = |why: String, word: &str| Err(ParseError { line: self.line, why, word: word.to_owned() });
        if !KNOWN.contains(&self.name.as_str()) {
            return if has_syntax { Ok(()) } else { fail(format!("there is no instruction `{}`", self.name), &self.name) };
        }
        if is_first && !matches!(self.name.as_str(), "FROM" | "ARG") {
            return fail("a Dockerfile starts with FROM or ARG".to_owned(), &self.name);
        }
        let count = self.words('\\').len();
        match self.name.as_str() {
            "FROM" if count != 1 && count != 3 => fail("FROM takes an image, and `AS` with a name".to_owned(), ""),
            "COPY" | "ADD" if count < 2 => fail(format!("{} takes at least one source and a destination", self.name), ""),
            _ if count == 0 => fail(format!("{} takes at least one argument", self.name), ""),
            _ => Ok(()),
        }
    }

    /// Returns the ends of the here-documents that follow this instruction.
    fn heredocs(&self, escape: char) -> Vec<HeredocEnd> {
        match self.name.as_str() {
            "RUN" | "COPY" | "ADD" if self.arguments.contains("<<") => {
                words::split(&self.arguments, escape).filter_map(HeredocEnd::of).collect()
            }
            "ONBUILD" => Self::parse(&self.arguments, self.line, escape).heredocs(escape),
            _ => Vec::new(),
        }
    }
}

struct HeredocEnd {
    word: String,
    /// `<<-`: tabs before a line are dropped.
    strips_tabs: bool,
}

impl HeredocEnd {
    /// `<<EOF`, `<<-"EOF"`, `3<<EOF`; not `<<<text`.
    fn of(word: &str) -> Option<Self> {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
        let (strips_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let word = words::unquote(rest, '\\');
        (!word.is_empty() && !rest.contains('<')).then_some(Self { word, strips_tabs })
    }
}

fn skip_heredoc<'a>(end: &HeredocEnd, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Option<()> {
    lines.map(|(_, line)| if end.strips_tabs { line.trim_start_matches('\t') } else { line }).find(|line| *line == end.word).map(|_| ())
}

/// Returns `first` with the lines that continue it; comments and empty lines between them are dropped.
fn joined<'a>(first: &str, escape: char, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> String {
    let mut logical = String::new();
    let mut part = first;
    loop {
        let Some(start) = part.trim_end_matches([' ', '\t']).strip_suffix(escape) else {
            logical.push_str(part);
            return logical;
        };
        logical.push_str(start);
        match lines.find(|(_, line)| !is_comment(line) && !line.trim().is_empty()) {
            Some((_, next)) => part = next,
            None => return logical,
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(|c: char| c.is_whitespace()).unwrap_or((text, ""));
    (word, rest.trim())
}

/// Reads `# name=value` lines at the top; anything else ends them.
fn directives(text: &str) -> (char, bool) {
    let mut escape = '\\';
    let mut has_syntax = false;
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        let Some((name, value)) = line.strip_prefix('#').and_then(|comment| comment.split_once('=')) else { break };
        match (name.trim().to_lowercase().as_str(), value.trim()) {
            ("escape", "`") => escape = '`',
            ("escape" | "check", _) => {}
            ("syntax", _) => has_syntax = true,
            (name, _) if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()) => {}
            _ => break,
        }
    }
    (escape, has_syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match Dockerfile::parse(text) {
            Ok(file) => file
                .instructions
                .iter()
                .map(|i| format!("{} {} {:?} {}", i.line, i.name, i.flags, i.arguments))
                .collect::<Vec<_>>()
                .join("\n"),
            Err(error) => format!("line {}: {} [{}]", error.line, error.why, error.word),
        }
    }

    #[test]
    fn lines_comments_and_continuations_join() {
        insta::assert_snapshot!(shown("# a comment\n\nfrom scratch as base\n  COPY --from=x --chown=1:1 a \\\n # between\n\n  b \\ \n /c\nRUN [\"a\", \"b c\"]\nCMD x \\"), @r#"
        3 FROM [] scratch as base
        4 COPY [("from", "x"), ("chown", "1:1")] a   b  /c
        9 RUN [] ["a", "b c"]
        10 CMD [] x
        "#);
    }

    #[test]
    fn the_escape_directive_moves_continuations() {
        insta::assert_snapshot!(shown("# escape=`\nFROM a\nCOPY c:\\dir\\ `\n d /x\n"), @r"
        2 FROM [] a
        3 COPY [] c:\dir\  d /x
        ");
    }

    #[test]
    fn here_documents_are_no_instructions() {
        insta::assert_snapshot!(shown("FROM a\nRUN python3 <<EOF && cat <<-\"END\" > x\nCOPY no\nEOF\nFOO\n\tEND\nCOPY <<A <<'B' /dir/\na\nA\nb\nB\nRUN cat <<< here\nONBUILD RUN <<X\nno\nX\n"), @r#"
        1 FROM [] a
        2 RUN [] python3 <<EOF && cat <<-"END" > x
        7 COPY [] <<A <<'B' /dir/
        12 RUN [] cat <<< here
        13 ONBUILD [] RUN <<X
        "#);
    }

    #[test]
    fn faults_name_their_line() {
        for (text, expected) in [
            ("FROM a\nCOPPY b c", "line 2: there is no instruction `COPPY` [COPPY]"),
            ("COPY b c", "line 1: a Dockerfile starts with FROM or ARG [COPY]"),
            ("FROM a\nCOPY b", "line 2: COPY takes at least one source and a destination []"),
            ("FROM a b", "line 1: FROM takes an image, and `AS` with a name []"),
            ("FROM", "line 1: FROM takes an image, and `AS` with a name []"),
            ("ARG x", "line 1: there is no FROM []"),
            ("", "line 1: there is no FROM []"),
            ("FROM a\nRUN <<EOF\nx", "line 2: the here-document does not end: there is no line `EOF` []"),
            ("FROM a\nWORKDIR", "line 2: WORKDIR takes at least one argument []"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        assert!(Dockerfile::parse("# syntax=docker/dockerfile:1-labs\nFROM a\nNEWTHING b c").is_ok());
    }
}
