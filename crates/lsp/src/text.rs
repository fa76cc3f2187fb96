//! A text and its positions: lines, and columns in UTF-16 units, as the protocol counts them.

use std::ops::Range;
use std::sync::Arc;

use gen_lsp_types as lsp;

/// A text that knows where its lines start.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    text: Arc<str>,
    lines: Vec<usize>,
}

impl Text {
    pub(crate) fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines }
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns where a line starts and ends, without what ends it; the last line where there are not so many.
    pub(crate) fn line(&self, line: usize) -> Range<usize> {
        let line = line.min(self.lines.len() - 1);
        let start = self.lines[line];
        let end = self.lines.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }

    /// Returns the line that an offset is in, from 0.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Returns the offset of a position; one that is beyond its line or the text is at the end of it.
    pub(crate) fn offset(&self, position: lsp::Position) -> usize {
        if position.line as usize >= self.lines.len() {
            return self.text.len();
        }
        let line = self.line(position.line as usize);
        let mut units = 0;
        for (at, c) in self.text[line.clone()].char_indices() {
            if units >= position.character as usize {
                return line.start + at;
            }
            units += c.len_utf16();
        }
        line.end
    }

    pub(crate) fn position(&self, offset: usize) -> lsp::Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line_of(offset);
        let units = self.text[self.lines[line]..offset].encode_utf16().count();
        lsp::Position { line: line as u32, character: units as u32 }
    }

    pub(crate) fn range(&self, range: Range<usize>) -> lsp::Range {
        lsp::Range { start: self.position(range.start), end: self.position(range.end) }
    }

    /// Returns the range of `width` characters from a line and a column, both from 1, as diagnostics count them.
    pub(crate) fn of_columns(&self, line: usize, column: usize, width: usize) -> Range<usize> {
        let line = self.line(line.saturating_sub(1));
        let at = |column: usize| self.text[line.clone()].char_indices().nth(column).map_or(line.end, |(at, _)| line.start + at);
        let start = column.saturating_sub(1);
        at(start)..at(start.saturating_add(width))
    }

    /// Returns the text with a part replaced.
    pub(crate) fn replaced(&self, range: lsp::Range, new: &str) -> Self {
        let (start, end) = (self.offset(range.start), self.offset(range.end));
        let end = end.max(start);
        Self::new([&self.text[..start], new, &self.text[end..]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_utf_16_units() {
        let text = Text::new("a: 😀é\r\nb: ö # c\n");
        let at = |line, character| text.offset(lsp::Position { line, character });
        assert_eq!((at(0, 3), at(0, 5), at(0, 6), at(0, 99)), (3, 7, 9, 9));
        // Half of a pair is the character after it, and what is beyond the text is its end.
        assert_eq!((at(0, 4), at(1, 0), at(1, 4), at(9, 9)), (7, 11, 16, text.text().len()));
        for offset in [0, 3, 7, 9, 11, 16, 21] {
            assert_eq!(text.offset(text.position(offset)), offset);
        }
        assert_eq!(text.position(8), lsp::Position { line: 0, character: 5 }, "inside of a character");
        assert_eq!((text.of_columns(1, 4, 1), text.of_columns(2, 4, usize::MAX), text.of_columns(7, 1, 1)), (3..7, 14..20, 21..21));
    }

    #[test]
    fn a_part_is_replaced() {
        let text = Text::new("a: 😀\nb: 1\n");
        let range =
            |a, b, c, d| lsp::Range { start: lsp::Position { line: a, character: b }, end: lsp::Position { line: c, character: d } };
        assert_eq!(&**text.replaced(range(0, 3, 0, 5), "x").text(), "a: x\nb: 1\n");
        assert_eq!(&**text.replaced(range(0, 5, 1, 3), "\nc: ").text(), "a: 😀\nc: 1\n");
        assert_eq!(&**text.replaced(range(1, 2, 0, 0), "-").text(), "a: 😀\nb:- 1\n", "a range that ends before it starts is a place");
        assert_eq!(&**text.replaced(range(7, 0, 9, 0), "c").text(), "a: 😀\nb: 1\nc");
    }
}
