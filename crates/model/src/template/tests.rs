use std::collections::BTreeMap;

use super::*;

/// One template and what Go makes of it; none if Go fails.
#[derive(Deserialize)]
struct Case {
    template: String,
    #[serde(default)]
    mode: String,
    output: Option<String>,
}

fn variables() -> BTreeMap<String, String> {
    let pairs = [
        ("NAME", "web"),
        ("REPO", "gcr.io/p"),
        ("TAG", "v1.2.3"),
        ("EMPTY", ""),
        ("N", "42"),
        ("TEXT", "Hello, wide World"),
        ("HTML", "<a href=\"x\">&</a>"),
        ("JSON", r#"{"a":[1,2.5,"x"],"b":{"c":true,"d":null}}"#),
        ("UNICODE", "Grüße, 世界"),
        ("TZ", "UTC"),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn vars(mode: &str) -> Vars {
    let empty = if mode == "plain" { Vars::plain() } else { Vars::default() };
    variables().into_iter().fold(empty, |vars, (name, value)| vars.with(name, value))
}

fn rendered(template: &str, mode: &str) -> Result<String, TemplateError> {
    let missing = if mode.is_empty() { MissingKey::NoValue } else { MissingKey::Error };
    Template(template.to_owned()).render(&vars(mode), missing)
}

/// Where the template language here differs from Go's, and why that is right or of no matter.
const KNOWN: [&str; 3] = [
    // gotmpl has no `%T`, and prints a list of numbers under `%s` as numbers.
    r#"{{ printf "%t %v %+v %T" false 1.5 "x" "x" }}"#,
    r#"{{ printf "%%|%5.1f%%|%s" 99.5 (list 1 2) }}"#,
    // Go wants a raw text for several lines, gotmpl takes both.
    "{{ indent 2 \"a\nb\n\nc\" }}",
];

#[test]
fn every_template_renders_as_in_go() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/golden/sprig/cases.json")).expect("golden file");
    assert!(cases.len() > 200);
    let mut wrong = Vec::new();
    for case in &cases {
        let ours = rendered(&case.template, &case.mode);
        let same = ours.as_ref().ok() == case.output.as_ref();
        if same == KNOWN.contains(&case.template.as_str()) {
            wrong.push(format!("{} ({})\n  go:   {:?}\n  ours: {ours:?}", case.template, case.mode, case.output));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn faults_are_told_in_the_words_of_go() {
    let fault = |text: &str| Template::parse(text).map_or_else(Err, |t| t.render(&vars(""), MissingKey::Error)).unwrap_err();
    insta::assert_snapshot!(fault("{{ .NAME"), @"template `{{ .NAME`: unclosed action (line 1, column 9)");
    insta::assert_snapshot!(fault("a\n {{ if .NAME }}x"), @"
    template `a
     {{ if .NAME }}x`: this block has no {{end}} (line 2, column 2)
    ");
    insta::assert_snapshot!(fault("x{{ end }}"), @"template `x{{ end }}`: unexpected {{end}} (line 1, column 2)");
    insta::assert_snapshot!(fault("{{ else }}"), @"template `{{ else }}`: unexpected {{else}} (line 1, column 1)");
    insta::assert_snapshot!(fault("{{ nofunction }}"), @"template `{{ nofunction }}`: undefined function: nofunction");
    insta::assert_snapshot!(fault("{{ .MISSING }}"), @"template `{{ .MISSING }}`: map has no entry for key: MISSING");
    insta::assert_snapshot!(fault("{{ upper 1 }}"), @"template `{{ upper 1 }}`: error calling upper: wrong type for value; expected string; got int");
    insta::assert_snapshot!(fault("{{ fail \"stop here\" }}"), @r#"template `{{ fail "stop here" }}`: error calling fail: stop here"#);
    insta::assert_snapshot!(fault("{{ genCA \"x\" 365 }}"), @r#"template `{{ genCA "x" 365 }}`: error calling genCA: this version does not have this function of Sprig; compute the value outside and pass it as a variable"#);
    insta::assert_snapshot!(fault("{{ cmd \"date\" }}"), @r#"template `{{ cmd "date" }}`: `cmd` is not available here"#);
    insta::assert_snapshot!(fault("{{ div 1 0 }}"), @"template `{{ div 1 0 }}`: error calling div: integer divide by zero, or a result beyond 64 bits");
}

#[test]
fn what_stands_in_quotes_and_comments_closes_no_block() {
    for (template, expected) in [
        ("{{ \"}} {{ end }}\" }}", "}} {{ end }}"),
        ("{{ `{{ if }}` }}", "{{ if }}"),
        ("{{/* {{ if }} \" */}}x", "x"),
        ("{{- if true -}} a {{- else if true }}{{- end -}} b", "ab"),
    ] {
        assert_eq!(rendered(template, "").as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn commands_run_through_the_runner_they_are_given() {
    let echo: CommandRunner =
        Arc::new(|arguments| if arguments[0] == "echo" { Ok(arguments[1..].join("+")) } else { Err("no such program".to_owned()) });
    let vars = vars("").with_commands(echo);
    let render = |text: &str| Template::parse(text).and_then(|template| template.render(&vars, MissingKey::NoValue));
    assert_eq!(render("{{ cmd \"echo\" .NAME \"b\" | upper }}").as_deref(), Ok("WEB+B"));
    insta::assert_snapshot!(render("{{ cmd \"nope\" }}").unwrap_err(), @r#"template `{{ cmd "nope" }}`: no such program"#);
}

proptest::proptest! {
    #[test]
    fn text_without_actions_renders_to_itself(text in "[^{]*") {
        let template = Template::parse(&text).unwrap();
        assert_eq!(template.render(&Vars::default(), MissingKey::Error).unwrap(), text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\{\\{|\\}\\}|[a-z.$|(\" `/*-]|if|end|else){0,12}") {
        drop(Template::parse(&text).map(|template| template.render(&Vars::default(), MissingKey::NoValue)));
    }
}
