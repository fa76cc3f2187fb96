//! Where each part of a YAML text begins and ends, its comments and marks included: what a tree with positions does not tell.

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;

/// A line and a column, both from 1: what a node and the text that it was read from have in common.
pub(super) type At = (usize, usize);

/// A value as it is written.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where its node says that it stands.
    pub at: At,
    /// Its first byte; of a block, that of its first key or dash.
    pub start: usize,
    /// The byte behind its last one.
    pub end: usize,
    /// The column of `start` in characters, from 0.
    pub column: usize,
    /// The number of its anchor; 0 is none.
    pub anchor: usize,
    /// Whether it is a mapping in `{}` or a list in `[]`.
    pub is_flow: bool,
    /// What it is.
    pub form: Form,
}

/// What is written somewhere.
#[derive(Debug)]
pub(super) enum Form {
    /// A scalar, or nothing.
    Scalar(ScalarStyle),
    /// The anchor with this number once more.
    Alias(usize),
    /// A mapping.
    Map(Vec<Slot>),
    /// A list.
    List(Vec<Slot>),
}

/// An entry of a mapping or an item of a list.
#[derive(Debug)]
pub(super) struct Slot {
    /// The key; none in a list.
    pub key: Option<(At, String)>,
    /// The first byte of the key or the dash; in `[]`, of the value.
    pub start: usize,
    /// The byte behind the colon or the dash.
    pub mark_end: usize,
    /// The value.
    pub value: Piece,
}

impl Piece {
    /// Returns its entries or items.
    pub(super) fn slots(&self) -> &[Slot] {
        match &self.form {
            Form::Map(slots) | Form::List(slots) => slots,
            Form::Scalar(_) | Form::Alias(_) => &[],
        }
    }

    /// Returns whether it is a mapping or a list over lines of its own.
    pub(super) fn is_block(&self) -> bool {
        matches!(self.form, Form::Map(_) | Form::List(_)) && !self.is_flow
    }
}

/// Returns the documents of a text, those without content left out; nothing where they are written as hardly anybody does.
pub(super) fn read(text: &str) -> Option<Vec<Piece>> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        events.push(event.ok()?);
    }
    let bytes = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut reader = Reader { text, bytes, events: events.into_iter(), behind: 0 };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.events.next() {
        if let Event::DocumentStart(_) = event {
            reader.behind = reader.bytes[span.end.index()];
            let (event, span) = reader.events.next()?;
            documents.push(reader.piece(event, span)?);
        }
    }
    documents.retain(|document| !(matches!(document.form, Form::Scalar(_)) && document.start == document.end));
    Some(documents)
}

struct Reader<'a> {
    text: &'a str,
    /// Where each character starts.
    bytes: Vec<usize>,
    events: std::vec::IntoIter<(Event<'a>, saphyr_parser::Span)>,
    /// The byte behind what was read.
    behind: usize,
}

impl<'a> Reader<'a> {
    fn piece(&mut self, event: Event<'a>, span: saphyr_parser::Span) -> Option<Piece> {
        let (first, last) = (self.bytes[span.start.index()], self.bytes[span.end.index()]);
        let at = (span.start.line(), span.start.col() + 1);
        let piece = |start, end, anchor, form| Piece { at, start, end, column: 0, anchor, is_flow: false, form };
        let mut piece = match event {
            Event::Scalar(_, style, anchor, _) => {
                let (start, end) = self.scalar(first, last, style)?;
                piece(start, end, anchor, Form::Scalar(style))
            }
            Event::Alias(anchor) => piece(first, first + self.text[first..last].trim_end().len(), 0, Form::Alias(anchor)),
            Event::MappingStart(anchor, _) => {
                let (slots, end) = self.map()?;
                self.collection(piece(first, 0, anchor, Form::Map(slots)), end)?
            }
            Event::SequenceStart(anchor, _) => {
                let (slots, end) = self.list(self.text[first..last].ends_with('['))?;
                self.collection(piece(first, 0, anchor, Form::List(slots)), end)?
            }
            _ => return None,
        };
        let line = self.text[..piece.start].rfind('\n').map_or(0, |newline| newline + 1);
        piece.column = self.text[line..piece.start].chars().count();
        // Where nothing is written, the parser may be further.
        self.behind = if piece.start == piece.end { self.behind } else { self.behind.max(piece.end) };
        Some(piece)
    }

    /// Returns where a scalar starts and ends; the parser counts the blanks and the comment behind it, and not the mark of a block.
    fn scalar(&self, first: usize, last: usize, style: ScalarStyle) -> Option<(usize, usize)> {
        let written = &self.text[first..last];
        let length = match style {
            ScalarStyle::Plain => written.trim_end().len(),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let mark = self.block_mark(if style == ScalarStyle::Literal { '|' } else { '>' })?;
                return Some((mark, first.max(mark + 1) + self.text[first.max(mark + 1)..last.max(mark + 1)].trim_end().len()));
            }
            ScalarStyle::SingleQuoted => quoted_length(written, '\'')?,
            ScalarStyle::DoubleQuoted => quoted_length(written, '"')?,
        };
        Some((first, first + length))
    }

    /// Returns where the next `mark` behind what was read stands, outside of comments.
    fn block_mark(&self, mark: char) -> Option<usize> {
        let mut is_comment = false;
        let mut before = ' ';
        for (at, character) in self.text[self.behind..].char_indices() {
            is_comment = character != '\n' && (is_comment || (character == '#' && before.is_whitespace()));
            if character == mark && !is_comment {
                return Some(self.behind + at);
            }
            before = character;
        }
        None
    }

    /// Sets where a mapping or a list starts and ends; `end` is where the closing bracket of a flow is over.
    fn collection(&self, mut piece: Piece, end: Option<usize>) -> Option<Piece> {
        if let Some(end) = end {
            (piece.end, piece.is_flow) = (end, true);
        } else {
            let slots = piece.slots();
            (piece.start, piece.end) = (slots.first()?.start, slots.last()?.value.end);
        }
        Some(piece)
    }

    /// Returns the entries up to the end of a mapping, and where its bracket is over.
    fn map(&mut self) -> Option<(Vec<Slot>, Option<usize>)> {
        let mut slots = Vec::new();
        loop {
            let (event, span) = self.events.next()?;
            if let Event::MappingEnd = event {
                return Some((slots, self.closed(span)));
            }
            let Event::Scalar(name, ..) = &event else { return None };
            let name = name.to_string();
            let key = self.piece(event, span)?;
            let rest = &self.text[key.end..];
            let colon = rest.trim_start_matches([' ', '\t']);
            let mark_end = if colon.starts_with(':') { key.end + rest.len() - colon.len() + 1 } else { key.end };
            self.behind = mark_end;
            let (event, span) = self.events.next()?;
            let mut value = self.piece(event, span)?;
            if value.start == value.end && !value.is_flow {
                (value.start, value.end) = (mark_end, mark_end);
            } else if mark_end == key.end {
                return None;
            }
            self.behind = self.behind.max(value.end);
            slots.push(Slot { key: Some((key.at, name)), start: key.start, mark_end, value });
        }
    }

    /// Returns the items up to the end of a list, and where its bracket is over.
    fn list(&mut self, is_flow: bool) -> Option<(Vec<Slot>, Option<usize>)> {
        let mut slots = Vec::new();
        loop {
            let (event, span) = self.events.next()?;
            if let Event::SequenceEnd = event {
                return Some((slots, self.closed(span)));
            }
            let from = self.behind;
            let dash = if is_flow { None } else { Some(self.next_dash(from)?) };
            self.behind = dash.map_or(from, |dash| dash + 1);
            let mut value = self.piece(event, span)?;
            if let Some(dash) = dash.filter(|_| value.start == value.end) {
                (value.start, value.end) = (dash + 1, dash + 1);
            }
            let start = dash.unwrap_or(value.start);
            self.behind = self.behind.max(value.end);
            slots.push(Slot { key: None, start, mark_end: dash.map_or(start, |dash| dash + 1), value });
        }
    }

    /// Returns where the dash of the next item stands.
    fn next_dash(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let rest = &self.text[at..];
            let found = rest.trim_start();
            at += rest.len() - found.len();
            let line = found.lines().next()?;
            match found.chars().next()? {
                '-' => return Some(at),
                '#' => at += line.len(),
                // An anchor or a tag of the list.
                '&' | '!' => at += line.find(char::is_whitespace).unwrap_or(line.len()),
                _ => return None,
            }
        }
    }

    /// Returns where a closing bracket is over; a block has none.
    fn closed(&mut self, span: saphyr_parser::Span) -> Option<usize> {
        let start = self.bytes[span.start.index()];
        let is_bracket = !span.is_empty() && self.text[start..].starts_with(['}', ']']);
        is_bracket.then(|| {
            self.behind = start + 1;
            start + 1
        })
    }
}

/// Returns the length of a scalar in quotes, its anchor and tag included.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let open = text.find(quote)?;
    let mut characters = text.char_indices().skip_while(|(at, _)| *at <= open).peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && quote == '"' {
            characters.next();
        } else if character == quote {
            if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') {
                characters.next();
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, piece: &Piece, depth: usize, into: &mut Vec<String>) {
        for slot in piece.slots() {
            let value = if slot.value.slots().is_empty() { &text[slot.value.start..slot.value.end] } else { "" };
            into.push(format!("{}{}|{value}", " ".repeat(depth), &text[slot.start..slot.mark_end]));
            told(text, &slot.value, depth + 1, into);
        }
    }

    #[test]
    fn everything_is_found_as_it_is_written() {
        let text = "# c\n.x: &x\n- image: a # t\n  k:\n- &y {a: 1, b: [2,\n   é]}\nb: *x\nz:\n- 1\n- - a\nc: &q\n  <<: *y\n  m: |\n    te\n    xt\n\n  \"q\": 'v''w'  # c\n\nd: !!str 3\ne: plain\n  more\n---\n- - 1\n- >- # | no\n  folded\n-\n- {}\n";
        let mut lines = Vec::new();
        for document in read(text).unwrap() {
            told(text, &document, 0, &mut lines);
        }
        insta::assert_snapshot!(lines.join("\n"), @r##"
        .x:|
         -|
          image:|a
          k:|
         -|
          a:|1
          b:|
           |2
           |é
        b:|*x
        z:|
         -|1
         -|
          -|a
        c:|
         <<:|*y
         m:||
            te
            xt
         "q":|'v''w'
        d:|!!str 3
        e:|plain
          more
        -|
         -|1
        -|>- # | no
          folded
        -|
        -|{}
        "##);
    }
}
