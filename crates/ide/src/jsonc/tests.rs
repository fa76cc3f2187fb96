//! Documents that others wrote into.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn is_ours(name: &str) -> bool {
    name.starts_with("ours")
}

/// Returns a text in which the list `l` holds `wanted` of ours.
fn changed(text: &str, wanted: &[Value]) -> String {
    let document = Document::read("x.json", text).unwrap();
    document.set_ours("l", "name", is_ours, wanted).unwrap();
    document.text()
}

#[test]
fn an_entry_of_ours_keeps_what_the_user_put_into_it() {
    let text = "{\n  \"l\": [\n    {\n      // by hand\n      \"name\": \"ours\",\n      \"port\": 1, // soon\n      \"log\": true,\n      \
        \"env\": {\"A\": \"b\"}\n    }, // the first\n    {\"name\": \"other\"}\n  ]\n}\n";
    insta::assert_snapshot!(changed(text, &[json!({"name": "ours", "port": 2, "env": {"TERM": "dumb"}, "args": ["a"]})]), @r#"
    {
      "l": [
        {
          // by hand
          "name": "ours",
          "port": 2, // soon
          "log": true,
          "env": {
            "A": "b",
            "TERM": "dumb"
          },
          "args": ["a"]
        }, // the first
        {"name": "other"}
      ]
    }
    "#);
}

#[test]
fn of_two_with_one_name_the_first_stays() {
    let text = "{\"l\": [{\"name\": \"ours\", \"a\": 1}, {\"name\": \"ours\", \"a\": 2}]}";
    let known = value(&changed(text, &[json!({"name": "ours", "a": 3})])).unwrap();
    assert_eq!(known, json!({"l": [{"name": "ours", "a": 3}]}));
}

/// An entry of the list, in a line of its own or not: of others, of ours with other values, or of ours that is not wanted any more.
fn entry() -> impl Strategy<Value = String> {
    let line = prop_oneof![Just(""), Just("\n    "), Just("\n    // above\n    "), Just(" /* before */ ")];
    let foreign = (line, 0..3_u8, prop_oneof![Just(""), Just(" // c\n"), Just(", \"x\": [1, 2,] /* d */")])
        .prop_map(|(line, number, rest)| format!("{line}{{\"name\": \"mine {number}\"{rest}}}"));
    prop_oneof![
        3 => foreign,
        1 => Just("\n    {\"name\": \"ours\", \"port\": 1 /* mine */}".to_owned()),
        1 => Just("\n    {\"name\": \"ours once\"}".to_owned()),
    ]
}

/// Returns what others wrote: their entries, and how often each comment is there.
fn foreign(text: &str) -> (Vec<Value>, Vec<usize>) {
    let entries = value(text).unwrap()["l"].as_array().cloned().unwrap_or_default();
    let entries = entries.into_iter().filter(|entry| !entry["name"].as_str().is_some_and(is_ours)).collect();
    (entries, ["// above", "/* before */", "// c", "/* d */", "// head", "// tail"].map(|comment| text.matches(comment).count()).into())
}

proptest! {
    #[test]
    fn what_others_wrote_survives_and_a_second_time_changes_nothing(
        entries in prop::collection::vec(entry(), 0..6),
        comma in prop_oneof![Just(""), Just(",")],
        end in prop_oneof![Just(""), Just("\n  "), Just("\n    // tail\n  ")],
    ) {
        let comma = if entries.is_empty() { "" } else { comma };
        let text = format!("// head\n{{\n  \"l\": [{}{comma}{end}]\n}}", entries.join(","));
        let wanted = [json!({"name": "ours", "port": 2}), json!({"name": "ours too"})];
        let once = changed(&text, &wanted);
        prop_assert_eq!(foreign(&once), foreign(&text), "{}", once);
        let known = value(&once).unwrap();
        let ours = known["l"].as_array().unwrap().iter().filter(|entry| entry["name"].as_str().is_some_and(is_ours));
        prop_assert_eq!(ours.count(), 2, "{}", once);
        prop_assert_eq!(changed(&once, &wanted), once);
    }
}
