//! Small files that would take all memory, all time or all of the stack: each is refused, or read, at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use std::time::Instant;

use devloop_config::ConfigSource;
use devloop_config::NoFetch;
use devloop_config::Options;
use devloop_config::effective_yaml;
use devloop_config::load;
use devloop_model::Env;

const HEAD: &str = "apiVersion: skaffold/v4beta14\nkind: Config\n";

/// Returns the code of the first error, or none where all was well; debug builds are slow, so that the bound is generous.
fn outcome(text: &str, profile: bool) -> Option<String> {
    let root = ConfigSource::Text { name: "skaffold.yaml".into(), text: text.to_owned() };
    let mut options = Options::new("run", "/nowhere", Env::new(BTreeMap::new()));
    options.profiles.extend(profile.then(|| "p".to_owned()));
    let start = Instant::now();
    let error = load(&root, &options, &NoFetch).err();
    let told = error.as_ref().map(ToString::to_string).unwrap_or_default();
    let effective = effective_yaml(&root, &options, &NoFetch, None).ok();
    assert!(start.elapsed() < Duration::from_secs(20), "took {:?}", start.elapsed());
    assert!(told.len() < 8 << 20, "{} bytes of errors", told.len());
    assert!(effective.is_none_or(|text| text.len() < 32 << 20));
    error.map(|error| error.diagnostics[0].code.clone().into_owned())
}

fn joined(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut all, index| {
        write!(all, "{}", of(index)).unwrap();
        all
    })
}

#[test]
fn what_is_too_large_is_refused() {
    let items = format!("{HEAD}build: {{artifacts: [{}]}}\n", "x,".repeat(200_000));
    assert_eq!(outcome(&items, false).as_deref(), Some("config/too-large"));
    let text = format!("{HEAD}metadata: {{name: {}}}\n", "x".repeat(5 << 20));
    assert_eq!(outcome(&text, false).as_deref(), Some("config/too-large"));
    let documents = joined(2000, |_| format!("---\n{HEAD}"));
    assert_eq!(outcome(&documents, false).as_deref(), Some("config/too-large"));
    let aliases = format!(".a: &a [{}]\n{HEAD}metadata: {{labels: [{}]}}\n", "x,".repeat(1000), "*a,".repeat(1000));
    assert_eq!(outcome(&aliases, false).as_deref(), Some("config/too-many-aliases"));
}

#[test]
fn what_is_too_deep_is_refused() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
        for count in [200, 20_000] {
            let text = format!("{HEAD}x:\n  {}{}\n", open.repeat(count), close.repeat(count));
            let code = outcome(&text, false);
            assert!(matches!(code.as_deref(), Some("config/nested-too-deep" | "config/invalid-yaml")), "{open} {code:?}");
        }
    }
    let template = |open: &str| format!("{HEAD}build: {{tagPolicy: {{envTemplate: {{template: '{{{{{}'}}}}}}\n", open.repeat(50_000));
    for open in ["(", "if .A}}{{", "with .A}}{{", ".A | print (", "define \"a\"}}{{"] {
        assert_eq!(outcome(&template(open), false).as_deref(), Some("config/template"), "{open}");
    }
}

#[test]
fn what_is_wrong_a_thousand_times_is_said_some_times() {
    let keys = format!("{HEAD}metadata: {{{}}}\n", joined(2000, |index| format!("k{index}: 1, ")));
    assert_eq!(outcome(&keys, false).as_deref(), Some("config/unknown-field"));
    let twice = format!("{HEAD}metadata: {{labels: {{{}}}}}\n", "a: 1, ".repeat(3000));
    assert_eq!(outcome(&twice, false).as_deref(), Some("config/duplicate-key"));
    let artifacts = format!("{HEAD}build: {{artifacts: [{}]}}\n", "{image: web}, ".repeat(1000));
    assert_eq!(outcome(&artifacts, false).as_deref(), Some("config/duplicate-artifact"));
    let long = format!("{HEAD}metadata: {{{}: 1}}\n", "x".repeat(1 << 20));
    assert_eq!(outcome(&long, false).as_deref(), Some("config/unknown-field"));
}

#[test]
fn chains_do_not_fill_the_stack() {
    let chain = |count: usize, entry: &dyn Fn(usize, usize) -> String| joined(count, |index| entry(index, (index + 1).min(count - 1)));
    let artifacts = chain(1000, &|one, next| {
        if one == next { format!("{{image: a{one}}}") } else { format!("{{image: a{one}, requires: [{{image: a{next}, alias: A}}]}}, ") }
    });
    assert_eq!(outcome(&format!("{HEAD}build: {{artifacts: [{artifacts}]}}\n"), false), None);
    let releases = chain(1000, &|one, next| {
        if one == next {
            format!("{{name: a{one}, chartPath: c}}")
        } else {
            format!("{{name: a{one}, chartPath: c, dependsOn: [a{next}]}}, ")
        }
    });
    assert_eq!(outcome(&format!("{HEAD}deploy: {{helm: {{releases: [{releases}]}}}}\n"), false), None);
    let modules = chain(900, &|one, next| format!("---\n{HEAD}metadata: {{name: m{one}}}\nrequires: [{{configs: [m{next}]}}]\n"));
    assert_eq!(outcome(&modules, false).as_deref(), Some("config/requires-too-deep"));
    let all = joined(300, |index| format!("---\n{HEAD}metadata: {{name: m{index}}}\nrequires: [{{}}]\n"));
    assert_eq!(outcome(&all, false).as_deref(), Some("config/requires-too-deep"));
}

#[test]
fn patches_have_bounds() {
    let patched = |patches: &str| format!("{HEAD}metadata: {{labels: {{a: b}}}}\nprofiles: [{{name: p, patches: [{patches}]}}]\n");
    let doubled = joined(40, |index| format!("{{op: copy, from: /metadata, path: /metadata/labels/x{index}}}, "));
    assert_eq!(outcome(&patched(&doubled), true).as_deref(), Some("config/too-large"));
    let mut path = "/metadata".to_owned();
    let mut patches = String::new();
    for _ in 0..500 {
        path.push_str("/labels");
        write!(patches, "{{op: add, path: {path}, value: {{a: b}}}}, ").unwrap();
    }
    assert_eq!(outcome(&patched(&patches), true).as_deref(), Some("config/nested-too-deep"));
    let long = format!("{{op: add, path: {}, value: 1}}", "/a".repeat(100_000));
    assert_eq!(outcome(&patched(&long), true).as_deref(), Some("config/patch-path"));
    assert_eq!(outcome(&patched(&long).replace("v4beta14", "v2beta29"), true).as_deref(), Some("config/newer-field"));
}
