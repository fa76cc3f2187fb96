//! Functions that change letters between cases.

use super::Function;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[
    ("title", 1, Some(1), |c| text(title(c.text(0)?))),
    ("untitle", 1, Some(1), |c| text(untitle(c.text(0)?))),
    ("nospace", 1, Some(1), |c| text(without_space(c.text(0)?))),
    ("initials", 1, Some(1), |c| text(initials(c.text(0)?))),
    ("swapcase", 1, Some(1), |c| text(swap_case(c.text(0)?))),
    ("camelcase", 1, Some(1), |c| text(pascal(c.text(0)?))),
    ("snakecase", 1, Some(1), |c| text(connected(c.text(0)?, '_'))),
    ("kebabcase", 1, Some(1), |c| text(connected(c.text(0)?, '-'))),
];

/// Go maps characters one by one: `ß` stays.
pub(super) fn upper(c: char) -> char {
    let mut all = c.to_uppercase();
    all.next().filter(|_| all.next().is_none()).unwrap_or(c)
}

pub(super) fn lower(c: char) -> char {
    let mut all = c.to_lowercase();
    all.next().filter(|_| all.next().is_none()).unwrap_or(c)
}

/// Go's `strings.Title`: a word starts after anything but a letter, a digit or `_`.
fn title(whole: &str) -> String {
    let mut before = ' ';
    let raise = |c: char| {
        let separates = if before.is_ascii() { !before.is_ascii_alphanumeric() && before != '_' } else { before.is_whitespace() };
        before = c;
        if separates { upper(c) } else { c }
    };
    whole.chars().map(raise).collect()
}

/// Lowers the first letter of each word, where only white space separates words.
fn untitle(whole: &str) -> String {
    let mut starts = true;
    let sink = |c: char| {
        let first = std::mem::replace(&mut starts, c.is_whitespace());
        if first && !c.is_whitespace() { lower(c) } else { c }
    };
    whole.chars().map(sink).collect()
}

/// Go's package walks over bytes here, and takes each for a character, if there is anything to remove.
fn without_space(whole: &str) -> String {
    let kept: String = whole.bytes().map(char::from).filter(|c| !c.is_whitespace()).collect();
    if kept.chars().count() == whole.len() { whole.to_owned() } else { kept }
}

fn initials(whole: &str) -> String {
    let mut gap = true;
    whole.bytes().map(char::from).filter(|c| std::mem::replace(&mut gap, c.is_whitespace()) && !c.is_whitespace()).collect()
}

fn swap_case(whole: &str) -> String {
    whole.chars().map(|c| if c.is_uppercase() { lower(c) } else { upper(c) }).collect()
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

/// `ToPascalCase` of huandu/xstrings 1.5: connectors go, what follows them is raised, the rest of a run of capitals is lowered.
fn pascal(whole: &str) -> String {
    let first = whole.find(|c| !is_connector(c)).unwrap_or(whole.len());
    let (leading, rest) = whole.split_at(first);
    let mut chars = rest.chars();
    // With nothing but connectors, the package writes the last of them twice.
    let Some(first) = chars.next() else { return whole.chars().chain(whole.chars().next_back()).collect() };
    let mut result = leading.to_owned();
    let mut in_capitals = first.is_uppercase();
    let mut previous = upper(first);
    for c in chars {
        let mut current = c;
        match (is_connector(previous), is_connector(c)) {
            (true, true) => result.push(previous),
            (true, false) => {
                in_capitals = c.is_uppercase();
                current = upper(c);
            }
            (false, _) => {
                if in_capitals && c.is_uppercase() {
                    current = lower(c);
                } else {
                    in_capitals = false;
                }
                result.push(previous);
            }
        }
        previous = current;
    }
    result.push(previous);
    result
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    End,
    Number,
    Capitals,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// `ToSnakeCase` and `ToKebabCase` of huandu/xstrings 1.5: words by case, digits kept with the letters around them.
fn connected(whole: &str, connector: char) -> String {
    let words = words(whole);
    let word = |at: usize| words.get(at).copied().unwrap_or((Kind::End, ""));
    let mut result = String::new();
    let mut at = 0;
    let ends_word = |kind: Kind| matches!(kind, Kind::Connector | Kind::Punctuation);
    while at + 1 < words.len() {
        let (kind, current) = word(at);
        at += 1;
        emit(&mut result, kind, current, connector);
        match kind {
            Kind::Connector | Kind::Punctuation | Kind::End => {}
            Kind::Number => {
                at = emit_run(&mut result, &words, at, connector);
                if !ends_word(word(at).0) && word(at).0 != Kind::End {
                    result.push(connector);
                }
            }
            _ if word(at).0 != Kind::Number => {
                if !ends_word(word(at).0) {
                    result.push(connector);
                }
            }
            // A number at the very end stays with the word before it.
            _ if at + 1 == words.len() => {}
            _ if word(at + 1).0 == Kind::Letters => {
                result.push(connector);
                at = emit_run(&mut result, &words, at, connector);
                if !ends_word(word(at).0) && word(at).0 != Kind::End {
                    result.push(connector);
                }
            }
            _ => {
                emit(&mut result, Kind::Number, word(at).1, connector);
                at += 1;
                if !ends_word(word(at).0) {
                    result.push(connector);
                }
            }
        }
    }
    let (kind, last) = word(at);
    emit(&mut result, kind, last, connector);
    result
}

/// Writes letters and numbers as long as they follow one another; returns where they end.
fn emit_run(result: &mut String, words: &[(Kind, &str)], mut at: usize, connector: char) -> usize {
    while let Some((kind @ (Kind::Letters | Kind::Number), word)) = words.get(at) {
        emit(result, *kind, word, connector);
        at += 1;
    }
    at
}

fn emit(result: &mut String, kind: Kind, word: &str, connector: char) {
    match kind {
        Kind::Connector => result.extend(word.chars().map(|_| connector)),
        Kind::Capitals => result.extend(word.chars().map(lower)),
        _ => result.push_str(word),
    }
}

fn kind_of(c: char) -> Kind {
    if is_connector(c) {
        Kind::Connector
    } else if c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c) {
        Kind::Punctuation
    } else if c.is_uppercase() {
        Kind::Capitals
    } else if c.is_alphabetic() {
        Kind::Letters
    } else if c.is_numeric() {
        Kind::Number
    } else {
        Kind::Other
    }
}

fn words(whole: &str) -> Vec<(Kind, &str)> {
    let mut words = Vec::new();
    let mut rest = whole;
    while let Some(first) = rest.chars().next() {
        let kind = kind_of(first);
        let (word, after) = rest.split_at(word_end(rest, kind));
        words.push((kind, word));
        rest = after;
    }
    words
}

fn word_end(text: &str, kind: Kind) -> usize {
    let run = |from: usize, kind: Kind| text[from..].find(|c| kind_of(c) != kind).map_or(text.len(), |end| from + end);
    let end = run(0, kind);
    if kind != Kind::Capitals || text[end..].chars().next().is_none_or(|next| kind_of(next) != Kind::Letters) {
        return end;
    }
    // In `HTTPServer` the last capital belongs to the word that follows.
    let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    if last == 0 { run(end, Kind::Letters) } else { last }
}
