use std::fmt::Write as _;

use super::*;

fn parse(text: &str) -> Node {
    parse_documents(&Source::new("skaffold.yaml", text)).unwrap().remove(0)
}

fn fault(text: &str) -> String {
    let errors = parse_documents(&Source::new("skaffold.yaml", text)).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn scalars_mean_what_the_core_schema_says_and_keep_their_text() {
    for (text, value) in [
        ("", Value::Null),
        ("~", Value::Null),
        ("null", Value::Null),
        ("true", Value::Bool(true)),
        ("FALSE", Value::Bool(false)),
        ("yes", Value::Text("yes".into())),
        ("8080", Value::Int(8080)),
        ("-3", Value::Int(-3)),
        ("0x1F", Value::Int(31)),
        ("0o17", Value::Int(15)),
        ("1.10", Value::Float(1.1)),
        ("1e3", Value::Float(1000.0)),
        (".5", Value::Float(0.5)),
        (".inf", Value::Float(f64::INFINITY)),
        ("99999999999999999999", Value::Float(1e20)),
        (".", Value::Text(".".into())),
        ("1.2.3", Value::Text("1.2.3".into())),
        ("'8080'", Value::Text("8080".into())),
        ("\"a\\tb\"", Value::Text("a\tb".into())),
        ("!!str 8080", Value::Text("8080".into())),
        ("!!int '8080'", Value::Int(8080)),
        ("|\n  a\n  b\n", Value::Text("a\nb\n".into())),
        (">\n  a\n  b\n", Value::Text("a b\n".into())),
    ] {
        let node = parse(&format!("key: {text}"));
        let found = &node.get("key").unwrap().value;
        assert_eq!(found, &value, "{text}");
    }
    assert_eq!(parse("v: 1.10").get("v").unwrap().as_text().as_deref(), Some("1.10"));
    assert_eq!(parse("v: on").get("v").unwrap().as_bool(), Some(true));
    assert_eq!(parse("v: 3.0").get("v").unwrap().as_int(), Some(3));
    assert_eq!(parse("v: ~").get("v").unwrap().as_text(), None);
}

#[test]
fn anchors_aliases_and_merge_keys_are_resolved() {
    let node = parse(".park: &base {a: 1, b: 2}\nm:\n  <<: *base\n  b: 3\nn: *base\nl:\n  <<: [{a: 9}, *base]\n");
    assert_eq!(node.to_json(), serde_json::json!({"m": {"b": 3, "a": 1}, "n": {"a": 1, "b": 2}, "l": {"a": 9, "b": 2}}));
}

#[test]
fn every_document_but_empty_ones_counts() {
    let documents = parse_documents(&Source::new("f", "---\na: 1\n---\n---\nb: 2\n...\n")).unwrap();
    assert_eq!(documents.iter().map(Node::to_json).collect::<Vec<_>>(), [serde_json::json!({"a": 1}), serde_json::json!({"b": 2})]);
    assert!(parse_documents(&Source::new("f", "# nothing\n")).unwrap().is_empty());
}

#[test]
fn places_are_counted_in_characters() {
    let node = parse("ä: {ö: wörld}\nlist:\n- one\n-   - two three # comment\n");
    let place = |n: &Node| (n.span.line, n.span.column, n.span.width);
    assert_eq!(place(node.get("ä").unwrap().get("ö").unwrap()), (1, 8, 5));
    let list = node.get("list").unwrap();
    assert_eq!(place(list), (3, 3, 1));
    assert_eq!(place(&list.as_list().unwrap()[1].as_list().unwrap()[0]), (4, 7, 9));
    assert_eq!(place(&parse("a: 'q'  \n").get("a").unwrap().clone()), (1, 4, 3));
    let (key, _) = node.entry("list").unwrap();
    assert_eq!((key.span.line, key.span.column, key.span.width), (2, 1, 4));
}

#[test]
fn what_is_not_yaml_is_said_at_its_line() {
    insta::assert_snapshot!(fault("a:\n\tb: 1\n"), @r"
    error[config/invalid-yaml]: a tab indents this line, and YAML takes only spaces there
     --> skaffold.yaml:2:1
      |
    2 | 	b: 1
      | ^
    help: replace the tab by spaces
    ");
    insta::assert_snapshot!(fault("a: \"open\nb: 1\n"), @r#"
    error[config/invalid-yaml]: this quote is not closed
     --> skaffold.yaml:1:4
      |
    1 | a: "open
      |    ^
    help: close it, or indent the lines that it spans
    "#);
    insta::assert_snapshot!(fault("a: 1\nb: 2\na: 3\nb: 4\n"), @r"
    error[config/duplicate-key]: `a` is written twice in one mapping
     --> skaffold.yaml:3:1
      |
    3 | a: 3
      | ^ first written at line 1
    error[config/duplicate-key]: `b` is written twice in one mapping
     --> skaffold.yaml:4:1
      |
    4 | b: 4
      | ^ first written at line 2
    ");
    insta::assert_snapshot!(fault("a: *nowhere\n"), @r"
    error[config/invalid-yaml]: this alias names an anchor that is not above it
     --> skaffold.yaml:1:4
      |
    1 | a: *nowhere
      |    ^
    help: write `&name` before the value that `*name` repeats
    ");
    insta::assert_snapshot!(fault("a: [1, 2\n"), @r"
    error[config/invalid-yaml]: a `,` or `]` is missing before this place
     --> skaffold.yaml:1:8
      |
    1 | a: [1, 2
      |        ^
    help: close the `[` above, or put a value with `,` or `[` in quotes
    ");
    insta::assert_snapshot!(fault("a: b: c\n"), @r"
    error[config/invalid-yaml]: a `:` cannot stand here
     --> skaffold.yaml:1:5
      |
    1 | a: b: c
      |     ^
    help: check the indentation of this line and the one before, or put the value in quotes
    ");
    insta::assert_snapshot!(fault("a: 1\n  b: 2\n"), @r"
    error[config/invalid-yaml]: a `:` cannot stand here
     --> skaffold.yaml:2:4
      |
    2 |   b: 2
      |    ^
    help: check the indentation of this line and the one before, or put the value in quotes
    ");
    insta::assert_snapshot!(fault("[a]: 1\n"), @r"
    error[config/invalid-yaml]: a key must be text, not a list
     --> skaffold.yaml:1:1
      |
    1 | [a]: 1
      | ^
    ");
    insta::assert_snapshot!(fault("<<: 1\n"), @r"
    error[config/invalid-yaml]: `<<` takes a mapping or a list of mappings
     --> skaffold.yaml:1:5
      |
    1 | <<: 1
      |     ^
    ");
    insta::assert_snapshot!(fault("a: &x [*x]\n"), @r"
    error[config/invalid-yaml]: an alias stands inside of the value that it names
     --> skaffold.yaml:1:8
      |
    1 | a: &x [*x]
      |        ^^
    ");
}

#[test]
fn aliases_and_nesting_are_bounded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let before = format!("*a{},", level - 1).repeat(9);
        writeln!(bomb, "a{level}: &a{level} [{before}]").unwrap();
    }
    assert!(fault(&bomb).contains("config/too-many-aliases"));
    assert!(fault(&"[".repeat(5000)).contains("config/nested-too-deep"));
    assert!(fault(&format!("a: {}{}", "[".repeat(150), "]".repeat(150))).contains("config/nested-too-deep"));
    let mut stairs = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        writeln!(stairs, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    assert!(fault(&stairs).contains("config/nested-too-deep"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-c:\\[\\]{},&*<|>'\"#!%@`? \\t\\n-]{0,40}") {
        for node in parse_documents(&Source::new("f", text)).unwrap_or_default() {
            drop(node.span.location(None));
        }
    }

    #[test]
    fn what_is_written_as_yaml_reads_the_same(keys in proptest::collection::btree_map("[a-zA-Z0-9 :#~.-]{1,8}", "[a-z0-9 :#'\"{}~.,&*!|>%@`\\n-]{0,12}", 0..5)) {
        let expected = serde_json::json!({ "top": keys });
        let text = serde_saphyr::to_string(&expected).unwrap();
        let read = parse_documents(&Source::new("f", text.clone()));
        proptest::prop_assert_eq!(read.map(|documents| documents[0].to_json()).map_err(|_| text), Ok(expected));
    }
}
