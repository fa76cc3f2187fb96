use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn outline(text: &str) -> Outline {
    Outline::of(Text::new(text))
}

/// Returns the entries as an indented list: what they are called, and what stands beside them.
fn drawn(text: &str) -> String {
    let outline = outline(text);
    let mut drawn = String::new();
    for (id, entry) in outline.entries() {
        let depth = outline.up(id).count() - 1;
        let name = if entry.kind == Kind::Item { "-" } else { outline.name(id) };
        let mark = match entry.kind {
            Kind::Field => "=",
            Kind::Word => "?",
            Kind::Item => "",
        };
        writeln!(drawn, "{} {} {}{name}{mark} {}", entry.document, entry.end, "  ".repeat(depth), outline.value(id)).unwrap();
    }
    drawn
}

#[test]
fn blocks_are_read_by_their_indentation() {
    insta::assert_snapshot!(drawn(
        "a: &x !!str one # two\n'b c':\n- - 1\n  - k: \"v: w\"\n    l:\n    - m\n- n: |\n    text: no\n\n    - no\n  o: >-\n   no\nd: a:b\n---\ne:\n    f"
    ), @r"
    0 15 a= one
    0 107 b c= 
    0 63   - 
    0 34     - 1
    0 63     - 
    0 47       k= v: w
    0 63       l= 
    0 63         - m
    0 107   - 
    0 93     n= 
    0 107     o= 
    0 114 d= a:b
    1 127 e= 
    1 127   f? 
    ");
}

#[test]
fn flow_style_is_read_over_lines_and_when_it_is_not_closed() {
    insta::assert_snapshot!(drawn("a: {b: [c, 'd, e'], f: {g: http://x}, h}\ni: [1,\n  {j: 2},  # three\n]\nk: [{l: \nm: 1\n"), @r"
    0 40 a= 
    0 18   b= 
    0 9     - c
    0 17     - d, e
    0 36   f= 
    0 35     g= http://x
    0 39   h? 
    0 68 i= 
    0 46   - 1
    0 56   - 
    0 55     j= 2
    0 77 k= 
    0 77   - 
    0 75     l= 
    0 82 m= 1
    ");
}

/// Returns what could be written at `|`.
fn spots(marked: &str) -> String {
    let offset = marked.find('|').unwrap();
    let outline = outline(&marked.replacen('|', "", 1));
    let way = |id: Option<EntryId>| {
        id.map_or_else(String::new, |id| outline.path(id).iter().flat_map(|part| ["/", part.unwrap_or("-")]).collect())
    };
    let text = outline.text().text();
    let told: Vec<String> = outline
        .spots(offset)
        .into_iter()
        .map(|spot| match spot {
            Spot::Key { parent, typed, .. } => format!("key in {}: {:?}", way(parent), &text[typed]),
            Spot::Value { of, typed } => format!("value of {}: {:?}", way(Some(of)), &text[typed]),
            Spot::Dashed { list, typed } => format!("dash in {}: {:?}", way(Some(list)), &text[typed]),
            Spot::Item { list, typed } => format!("item in {}: {:?}", way(Some(list)), &text[typed]),
        })
        .collect();
    told.join("; ")
}

#[test]
fn what_could_be_written_is_told_by_the_place() {
    for (text, told) in [
        ("|", "key in : \"\""),
        ("bui|", "key in : \"bui\""),
        ("a:\n  |", "key in /a: \"\""),
        ("a:\n|", "key in : \"\"; dash in /a: \"\""),
        ("a: |", "value of /a: \"\""),
        ("a:|", "value of /a: \"\""),
        ("a: x|y", "value of /a: \"xy\""),
        ("a: \"x|\"", "value of /a: \"x\""),
        ("a: \"|\"", "value of /a: \"\""),
        ("a: x |", ""),
        ("a: x\n  |", ""),
        ("a: # |", ""),
        ("# |", ""),
        ("a: |\n  |".replacen("|\n", ">\n", 1).as_str(), ""),
        ("a|: 1\nb: 2", "key in : \"a\""),
        ("a:\n- |", "value of /a/-: \"\"; key in /a/-: \"\""),
        ("a:\n- b|", "value of /a/-: \"b\"; key in /a/-: \"b\""),
        ("a:\n- b: 1\n  |", "key in /a/-: \"\""),
        ("a:\n- b: 1\n|", "key in : \"\"; dash in /a: \"\""),
        ("a:\n  - b: 1\n  |", "key in /a: \"\""),
        ("a:\n  - b: 1\n    |\n  - b: 2", "key in /a/-: \"\""),
        ("a:\n  b:\n    c: 1\n  d|\ne: 1", "key in /a: \"d\""),
        ("a:\n  b: 1\n---\n  |", "key in : \"\""),
        ("a: {|", "key in /a: \"\""),
        ("a: {b: 1, |}", "key in /a: \"\""),
        ("a: {b: |}", "value of /a/b: \"\""),
        ("a: {b|}", "key in /a: \"b\""),
        ("a: [|]", "item in /a: \"\""),
        ("a: [x, y|]", "value of /a/-: \"y\""),
        ("a: [{b: 1},\n  {|\nc: 1", "key in /a/-: \"\""),
        ("a: [x]|", ""),
        ("a: [x] |", ""),
    ] {
        assert_eq!(spots(text), told, "{text:?}");
    }
}

#[test]
fn a_way_leads_into_profiles_as_well() {
    let outline = outline("build: {artifacts: [{image: a}, {image: b}]}\nprofiles:\n- build:\n    artifacts:\n    - image: c\n  name: x\n");
    let values = |to: &[&str]| outline.at_paths(to).into_iter().map(|id| outline.value(id)).collect::<Vec<_>>();
    assert_eq!(values(&["build", "artifacts", "-", "image"]), ["a", "b", "c"]);
    assert_eq!(values(&["profiles", "-", "name"]), ["x"]);
}

proptest! {
    /// No text and no place in it stops the reader.
    #[test]
    fn any_text_has_an_outline(text in "([a-z:,#'\"{}\\[\\]|>&*!-]|  |\n|ä|😀|---\n){0,60}") {
        let outline = outline(&text);
        for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let _spots = outline.spots(offset);
            let _entry = outline.entry_at(offset);
        }
        for (id, entry) in outline.entries() {
            prop_assert!(entry.name.end <= entry.end && entry.end <= text.len(), "{:?}", entry);
            prop_assert!(text.get(entry.name.clone()).is_some() && text.get(entry.value.clone()).is_some() && outline.up(id).count() < 200);
        }
    }
}
