use std::fs;
use std::sync::Mutex;

use devloop_model::Env;

use super::*;
use crate::Source;
use crate::parse_documents;

/// Gives a directory for each repository, and counts how often it is asked.
struct Repos {
    dir: PathBuf,
    asked: Mutex<Vec<String>>,
}

impl FetchRepo for Repos {
    fn fetch(&self, repo: &GitSource) -> Result<PathBuf, Diagnostic> {
        self.asked.lock().unwrap().push(format!("{}@{}", repo.repo, repo.reference.as_deref().unwrap_or("-")));
        let tree = self.dir.join(&repo.repo);
        if tree.is_dir() { Ok(tree) } else { Err(Diagnostic::error("config/fetch", format!("cannot fetch `{}`", repo.repo))) }
    }
}

struct Project {
    dir: tempfile::TempDir,
    options: ModuleOptions,
}

impl Project {
    /// Writes files, each `path` and text; the first is the root.
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let profiles = ProfileOptions {
            named: Vec::new(),
            auto_activation: true,
            command: "run".to_owned(),
            kube_context: None,
            kube_context_is_forced: false,
            env: Env::default(),
        };
        let options = ModuleOptions { profiles, propagate_profiles: true, modules: Vec::new(), cwd: dir.path().to_owned() };
        Self { dir, options }
    }

    fn profiles(mut self, named: &[&str]) -> Self {
        self.options.profiles.named = named.iter().map(ToString::to_string).collect();
        self
    }

    fn modules(mut self, names: &[&str]) -> Self {
        self.options.modules = names.iter().map(ToString::to_string).collect();
        self
    }

    fn collect(&self) -> Result<Vec<ModuleDocument>, Vec<Diagnostic>> {
        let repos = Repos { dir: self.dir.path().to_owned(), asked: Mutex::default() };
        self.collect_with(&repos)
    }

    fn collect_with(&self, repos: &Repos) -> Result<Vec<ModuleDocument>, Vec<Diagnostic>> {
        let read = |file: &Path| {
            let text = fs::read_to_string(self.dir.path().join(file)).expect("the collector looked before");
            parse_documents(&Source::new(file.strip_prefix(self.dir.path()).unwrap_or(file), text))
        };
        let root = PathBuf::from("skaffold.yaml");
        let documents = read(&root)?;
        let Collected { modules, errors, .. } = collect((root, documents), &self.options, &read, repos);
        if errors.is_empty() { Ok(modules) } else { Err(errors) }
    }

    /// The names in order, each with its profiles.
    fn names(&self) -> Result<String, String> {
        let shown = |module: ModuleDocument| {
            let name = module.name.unwrap_or_else(|| format!("#{}", module.index));
            if module.active_profiles.is_empty() { name } else { format!("{name}({})", module.active_profiles.join(" ")) }
        };
        match self.collect() {
            Ok(modules) => Ok(modules.into_iter().map(shown).collect::<Vec<_>>().join(" ")),
            Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        }
    }
}

const TWO: &str = "metadata: {name: a}\nrequires: [{configs: [b]}]\n---\nmetadata: {name: b}\n";

#[test]
fn what_is_required_comes_first_and_once() {
    for (files, expected) in [
        (&[("skaffold.yaml", "build: {}\n")][..], "#0"),
        (&[("skaffold.yaml", TWO)], "b a"),
        (&[("skaffold.yaml", "metadata: {name: a}\n---\nbuild: {}\n")], "a #1"),
        (
            &[
                ("skaffold.yaml", "metadata: {name: a}\nrequires: [{path: lib}]\n"),
                ("lib/skaffold.yaml", TWO.trim_start_matches("metadata: {name: a}\n")),
            ],
            "b #0 a",
        ),
        (
            &[
                ("skaffold.yaml", "requires: [{path: x.yaml}, {path: y.yaml}]\n"),
                ("x.yaml", "metadata: {name: x}\nrequires: [{path: y.yaml}]\n"),
                ("y.yaml", "metadata: {name: y}\n"),
            ],
            "y x #0",
        ),
        (
            &[
                ("skaffold.yaml", "requires: [{path: lib, configs: [n]}]\n"),
                ("lib/skaffold.yml", "metadata: {name: m}\n---\nmetadata: {name: n}\n"),
            ],
            "n #0",
        ),
        (
            &[
                ("skaffold.yaml", "metadata: {name: a}\nrequires: [{path: b.yaml}]\n"),
                ("b.yaml", "metadata: {name: b}\nrequires: [{path: skaffold.yaml}]\n"),
            ],
            "b a",
        ),
        (
            &[
                ("skaffold.yaml", "requires: [{path: sub}]\n"),
                ("sub/skaffold.yaml", "metadata: {name: s}\nrequires: [{path: ../other}]\n"),
                ("other/devloop.yaml", "metadata: {name: o}\n"),
            ],
            "o s #0",
        ),
    ] {
        assert_eq!(Project::new(files).names().as_deref(), Ok(expected), "{files:?}");
    }
}

#[test]
fn paths_of_the_root_start_at_the_working_directory_and_others_at_their_file() {
    let project = Project::new(&[
        ("skaffold.yaml", "requires: [{path: sub}, {configs: [own]}]\n---\nmetadata: {name: own}\n"),
        ("sub/skaffold.yaml", "metadata: {name: s}\n"),
    ]);
    let modules = project.collect().unwrap();
    let root = project.dir.path();
    let shown: Vec<_> = modules.iter().map(|m| (m.file.to_str().unwrap(), m.dir.clone(), m.is_root, m.is_remote)).collect();
    assert_eq!(
        shown,
        [
            ("sub/skaffold.yaml", root.join("sub"), false, false),
            ("skaffold.yaml", root.to_owned(), true, false),
            ("skaffold.yaml", root.to_owned(), true, false),
        ]
    );
}

#[test]
fn a_repository_is_fetched_once() {
    let text =
        "requires:\n- git: {repo: lib, path: a.yaml, ref: v1}\n- git: {repo: lib, path: sub, ref: v1}\n- git: {repo: lib, ref: v2}\n";
    let project = Project::new(&[
        ("skaffold.yaml", text),
        ("lib/a.yaml", "metadata: {name: a}\nrequires: [{path: near.yaml}]\n"),
        ("lib/near.yaml", "metadata: {name: near}\n"),
        ("lib/sub/skaffold.yaml", "metadata: {name: s}\n"),
        ("lib/skaffold.yaml", "metadata: {name: r}\n"),
    ]);
    let repos = Repos { dir: project.dir.path().to_owned(), asked: Mutex::default() };
    let modules = project.collect_with(&repos).unwrap();
    assert_eq!(*repos.asked.lock().unwrap(), ["lib@v1", "lib@v2"]);
    let remote: Vec<_> = modules.iter().map(|m| (m.name.as_deref(), m.is_remote)).collect();
    assert_eq!(remote, [(Some("near"), true), (Some("a"), true), (Some("s"), true), (Some("r"), true), (None, false)]);
}

#[test]
fn a_path_stays_in_its_repository() {
    let project = |path: &str| {
        let project = Project::new(&[
            ("skaffold.yaml", &format!("requires:\n- git: {{repo: lib, path: {path}}}\n")),
            ("out/skaffold.yaml", "metadata: {name: out}\n"),
            ("lib/in/skaffold.yaml", "metadata: {name: in}\n"),
        ]);
        std::os::unix::fs::symlink("../out", project.dir.path().join("lib/link")).unwrap();
        let repos = Repos { dir: project.dir.path().to_owned(), asked: Mutex::default() };
        project.collect_with(&repos).map(|modules| modules.len()).map_err(|errors| errors[0].to_string())
    };
    assert_eq!(project("in/../in"), Ok(2));
    insta::assert_snapshot!(project("../out").unwrap_err(), @r"
    error[config/outside]: `../out` leads out of the repository
     --> skaffold.yaml:2:26
      |
    2 | - git: {repo: lib, path: ../out}
      |                          ^^^^^^
    help: `path` starts at the root of the repository, and names a file or a directory in it
    ");
    insta::assert_snapshot!(project("link").unwrap_err(), @r"
    error[config/outside]: `link` leads out of the repository
     --> skaffold.yaml:2:26
      |
    2 | - git: {repo: lib, path: link}
      |                          ^^^^
    help: `path` starts at the root of the repository, and names a file or a directory in it
    ");
    assert!(project("/etc").unwrap_err().contains("leads out of the repository"));
}

#[test]
fn what_a_module_of_a_repository_requires_stays_in_it() {
    let project = |path: &str| {
        let project = Project::new(&[
            ("skaffold.yaml", "requires:\n- git: {repo: lib}\n"),
            ("lib/skaffold.yaml", &format!("requires:\n- path: {path}\n")),
            ("lib/in/skaffold.yaml", "metadata: {name: in}\n"),
            ("out/skaffold.yaml", "metadata: {name: out}\n"),
        ]);
        let repos = Repos { dir: project.dir.path().to_owned(), asked: Mutex::default() };
        project.collect_with(&repos).map(|modules| modules.iter().filter(|m| m.is_remote).count()).map_err(|errors| errors[0].to_string())
    };
    assert_eq!(project("in"), Ok(2));
    let error = project("../out").unwrap_err();
    assert!(error.contains("error[config/outside]: `../out` leads out of the repository"), "{error}");
    assert!(error.trim_end().ends_with("requires files of that repository, or of others by `git`"), "{error}");
}

#[test]
fn a_token_is_not_shown_with_its_line() {
    let project = Project::new(&[("skaffold.yaml", "requires:\n- git: {repo: 'https://me:t0ken@host/x', path: 1}\n")]);
    let error = project.collect().unwrap_err()[0].to_string();
    assert!(error.contains("2 | - git: {repo: 'https://********@host/x', path: 1}"), "{error}");
}

const PROFILES: &str = "profiles:\n- name: p\n- name: q\n";

#[test]
fn profiles_reach_the_modules_that_ask_for_them() {
    let lib = format!("metadata: {{name: lib}}\n{PROFILES}");
    let root = |requires: &str| format!("metadata: {{name: root}}\nrequires:\n- {{path: lib, {requires}}}\n{PROFILES}");
    for (requires, named, propagate, expected) in [
        ("activeProfiles: []", &[][..], true, "lib root"),
        ("activeProfiles: []", &["p"], true, "lib(p) root(p)"),
        ("activeProfiles: []", &["p"], false, "lib root(p)"),
        ("activeProfiles: [{name: q}]", &["p"], true, "lib(q p) root(p)"),
        ("activeProfiles: [{name: q}]", &[], true, "lib(q) root"),
        ("activeProfiles: [{name: q, activatedBy: [p]}]", &[], true, "lib root"),
        ("activeProfiles: [{name: q, activatedBy: [p]}]", &["p"], false, "lib(q) root(p)"),
    ] {
        let mut project = Project::new(&[("skaffold.yaml", &root(requires)), ("lib/skaffold.yaml", &lib)]).profiles(named);
        project.options.propagate_profiles = propagate;
        assert_eq!(project.names().as_deref(), Ok(expected), "{requires} {named:?} {propagate}");
    }
}

#[test]
fn a_selection_takes_modules_with_what_they_require() {
    let root =
        "metadata: {name: a}\nrequires: [{configs: [b]}]\n---\nmetadata: {name: b}\n---\nmetadata: {name: c}\nrequires: [{path: lib}]\n";
    let files = [("skaffold.yaml", root), ("lib/skaffold.yaml", "metadata: {name: d}\n---\nmetadata: {name: e}\n")];
    for (names, expected) in
        [(&[][..], "b a d e c"), (&["a"], "b a"), (&["b"], "b"), (&["c"], "d e c"), (&["e"], "e"), (&["a", "d"], "b a d")]
    {
        assert_eq!(Project::new(&files).modules(names).names().as_deref(), Ok(expected), "{names:?}");
    }
}

#[test]
fn faults_name_their_line() {
    let fault = |files: &[(&str, &str)]| Project::new(files).names().unwrap_err();
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "metadata: {name: a}\n---\nmetadata: {name: a}\n")]), @"
    error[config/duplicate-module]: there are two modules called `a`
     --> skaffold.yaml:3:18
      |
    3 | metadata: {name: a}
      |                  ^ first used in skaffold.yaml, line 1
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "metadata: {name: a}\nrequires: [{path: lib.yaml}]\n"), ("lib.yaml", "metadata:\n  name: a\n")]), @"
    error[config/duplicate-module]: there are two modules called `a`
     --> lib.yaml:2:9
      |
    2 |   name: a
      |         ^ first used in skaffold.yaml, line 1
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- path: ../gone\n")]), @"
    error[config/no-file]: there is no file ../gone, which this module requires
     --> skaffold.yaml:2:9
      |
    2 | - path: ../gone
      |         ^^^^^^^
    help: `path` starts at the directory of the file it stands in, and names a file or a directory with a skaffold.yaml
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- path: lib.yaml\n  configs: [on]\n"), ("lib.yaml", "metadata: {name: one}\n---\nmetadata: {name: two}\n")]), @"
    error[config/unknown-module]: there is no module `on` in lib.yaml
     --> skaffold.yaml:3:13
      |
    3 |   configs: [on]
      |             ^^
      known modules: one, two
    help: did you mean `one`?
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- path: lib.yaml\n"), ("lib.yaml", "a: [\n")]), @"
    error[config/invalid-yaml]: this is not YAML
     --> lib.yaml:1:4
      |
    1 | a: [
      |    ^ while parsing a node, did not find expected node content
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- googleCloudStorage: {source: gs://b/d}\n")]), @"
    error[config/not-supported]: this version does not fetch modules from Google Cloud Storage
     --> skaffold.yaml:2:3
      |
    2 | - googleCloudStorage: {source: gs://b/d}
      |   ^^^^^^^^^^^^^^^^^^
    help: use `git`, or copy the module and use `path`
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- googleCloudBuildRepoV2: {repo: r}\n")]), @"
    error[config/not-supported]: this version does not fetch modules from Google Cloud Build repositories
     --> skaffold.yaml:2:3
      |
    2 | - googleCloudBuildRepoV2: {repo: r}
      |   ^^^^^^^^^^^^^^^^^^^^^^
    help: use `git`, or copy the module and use `path`
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- path: https://example.com/skaffold.yaml\n")]), @"
    error[config/not-supported]: this version does not read modules from a web address
     --> skaffold.yaml:2:9
      |
    2 | - path: https://example.com/skaffold.yaml
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    help: use `git`, or copy the file and name it by its path
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- git: {repo: nowhere}\n- git: {repo: nowhere}\n")]), @"
    error[config/fetch]: cannot fetch `nowhere`
     --> skaffold.yaml:2:15
      |
    2 | - git: {repo: nowhere}
      |               ^^^^^^^
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- git: {path: x}\n")]), @"
    error[config/missing-field]: `git` has no `repo`
     --> skaffold.yaml:2:8
      |
    2 | - git: {path: x}
      |        ^^^^
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- git: {repo: x}\n  path: y\n")]), @"
    error[config/one-of]: a module is required by `path` or by `git`, not by both
     --> skaffold.yaml:2:3
      |
    2 | - git: {repo: x}
      |   ^^^
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires: lib\n")]), @"
    error[config/wrong-type]: `requires` takes a list, not text
     --> skaffold.yaml:1:11
      |
    1 | requires: lib
      |           ^^^
    ");
    insta::assert_snapshot!(fault(&[("skaffold.yaml", "requires:\n- activeProfiles: [{activatedBy: [x]}]\n")]), @"
    error[config/missing-field]: this profile has no `name`
     --> skaffold.yaml:2:20
      |
    2 | - activeProfiles: [{activatedBy: [x]}]
      |                    ^^^^^^^^^^^
    ");
}

#[test]
fn one_module_cannot_have_two_sets_of_profiles() {
    let root = "requires:\n- {path: lib, activeProfiles: [{name: p}]}\n- {path: lib, activeProfiles: [{name: q}]}\n";
    let lib = format!("metadata: {{name: lib}}\n{PROFILES}");
    insta::assert_snapshot!(Project::new(&[("skaffold.yaml", root), ("lib/skaffold.yaml", &lib)]).names().unwrap_err(), @"
    error[config/profile-conflict]: module `lib` is required twice, with different profiles
     --> skaffold.yaml:3:10
      |
    3 | - {path: lib, activeProfiles: [{name: q}]}
      |          ^^^
      once with `p`, once with `q`
    help: let every `requires` of it activate the same profiles
    ");
}

#[test]
fn names_that_nothing_has_are_errors() {
    let files = [("skaffold.yaml", TWO)];
    insta::assert_snapshot!(Project::new(&files).modules(&["aa"]).names().unwrap_err(), @"
    error[config/unknown-module]: there is no module `aa`
      known modules: a, b
    help: did you mean `a`?
    ");
    insta::assert_snapshot!(Project::new(&files).profiles(&["p"]).names().unwrap_err(), @"
    error[config/unknown-profile]: there is no profile `p`
      this configuration has no profiles
    ");
    let with_profile = [("skaffold.yaml", "requires: [{path: lib}]\n"), ("lib/skaffold.yaml", PROFILES)];
    assert_eq!(Project::new(&with_profile).profiles(&["p"]).names().as_deref(), Ok("#0(p) #0"));
    insta::assert_snapshot!(Project::new(&with_profile).profiles(&["-pp"]).names().unwrap_err(), @"
    error[config/unknown-profile]: there is no profile `pp`
      known profiles: p, q
    help: did you mean `p`?
    ");
    insta::assert_snapshot!(Project::new(&[("skaffold.yaml", "requires: [{path: l, configs: [x]}]\nmetadata: {name: r}\n"), ("l/skaffold.yaml", "metadata: {name: x}\n---\nmetadata: {name: y}\n")]).modules(&["y"]).names().unwrap_err(), @"error[config/no-module]: no module that is required is called `y`");
}
