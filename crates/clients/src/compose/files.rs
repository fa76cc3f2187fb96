//! The files that a Compose project is read from.
//!
//! Facts: `DefaultFileNames` and `DefaultOverrideFileNames` in `cli/options.go` of compose-go; `.env` and `COMPOSE_FILE` as in
//! `WithConfigFileEnv` there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Env;
use devloop_model::normal_path as normal;
use serde_json::Value;

/// Of these, the first that is there counts.
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// And of these, beside it.
const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// Returns the files that the project of a directory is read from, those that would count if they were there included: absolute paths.
/// What a file names by a variable is left out.
pub fn files(directory: &Path, env: &Env) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::from([directory.join(".env")]);
    if named(directory, env).is_none() {
        found.extend(NAMES.iter().chain(&OVERRIDES).map(|name| directory.join(name)));
    }
    let roots = roots(directory, env);
    let base = roots.first().and_then(|file| file.parent()).unwrap_or(directory).to_owned();
    let mut read = BTreeSet::new();
    for root in roots {
        add(&root, &base, &mut found, &mut read);
    }
    found
}

/// Returns the files that Compose is to read first; whether those that `COMPOSE_FILE` names exist, it says itself.
pub(super) fn roots(directory: &Path, env: &Env) -> Vec<PathBuf> {
    named(directory, env).unwrap_or_else(|| {
        let first = |names: &[&str]| names.iter().map(|name| directory.join(name)).find(|file| file.is_file());
        first(&NAMES).map_or_else(Vec::new, |file| [file].into_iter().chain(first(&OVERRIDES)).collect())
    })
}

/// Returns what `COMPOSE_FILE` names, in the environment or in `.env`.
fn named(directory: &Path, env: &Env) -> Option<Vec<PathBuf>> {
    let dotenv = fs::read_to_string(directory.join(".env")).unwrap_or_default();
    let variable = |name: &str| env.get(name).map(str::to_owned).or_else(|| assigned(&dotenv, name)).filter(|value| !value.is_empty());
    let separator = variable("COMPOSE_PATH_SEPARATOR").unwrap_or_else(|| if cfg!(windows) { ";" } else { ":" }.to_owned());
    let files = variable("COMPOSE_FILE")?;
    Some(files.split(&separator).map(|file| normal(&directory.join(file))).collect())
}

/// Returns the value that the text of an `.env` file gives a variable.
fn assigned(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (before, value) = line.split_once('=')?;
        (before.trim_end() == name).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    text.lines().filter_map(value).next_back()
}

/// Adds a Compose file and what it names, relative to `base`.
fn add(file: &Path, base: &Path, found: &mut BTreeSet<PathBuf>, read: &mut BTreeSet<PathBuf>) {
    found.insert(file.to_owned());
    if !read.insert(file.to_owned()) {
        return;
    }
    let Some(project) = fs::read_to_string(file).ok().and_then(|text| serde_saphyr::from_str::<Value>(&text).ok()) else { return };
    let path = |name: &str| (!name.contains('$') && !name.contains("://")).then(|| normal(&base.join(name)));
    let entries = |value: &Value| value.as_object().into_iter().flatten().map(|(_, entry)| entry.clone()).collect::<Vec<Value>>();
    let services = entries(&project["services"]);
    let included = listed(&project["include"]);
    let texts = services
        .iter()
        .chain(&included)
        .flat_map(|entry| listed(&entry["env_file"]))
        .chain(["configs", "secrets"].into_iter().flat_map(|key| entries(&project[key])).map(|entry| entry["file"].clone()));
    found.extend(texts.filter_map(|name| path(named_by(&name)?)));
    let extended = services.iter().map(|service| service["extends"]["file"].clone());
    let others = included.iter().flat_map(|entry| if entry.is_string() { vec![entry.clone()] } else { listed(&entry["path"]) });
    for other in others.chain(extended).filter_map(|name| path(named_by(&name)?)) {
        let base = other.parent().unwrap_or(base).to_owned();
        add(&other, &base, found, read);
    }
}

/// Returns the entries of a list, or the one that stands in its place.
fn listed(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(entries) => entries.clone(),
        one => vec![one.clone()],
    }
}

/// Returns the path of an entry, in its short or its long form.
fn named_by(entry: &Value) -> Option<&str> {
    entry.as_str().or_else(|| entry["path"].as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn env(variables: &[(&str, &str)]) -> Env {
        Env::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>())
    }

    fn found(dir: &tempfile::TempDir, env: &Env) -> Vec<String> {
        let relative = |path: PathBuf| path.strip_prefix(dir.path()).unwrap().display().to_string();
        files(dir.path(), env).into_iter().map(relative).filter(|name| !NAMES.contains(&&**name) && !OVERRIDES.contains(&&**name)).collect()
    }

    #[test]
    fn what_a_file_names_counts_with_it() {
        let dir = project(&[
            (
                "compose.yaml",
                "include: [more/compose.yaml, {path: [x.yaml], env_file: x.env}]
services:
  web: {image: web, env_file: web.env, extends: {file: base.yaml, service: web}}
  db: {image: db, env_file: [{path: ./db.env, required: false}, \"${SOME}.env\"]}
configs: {page: {file: ./page.html}}
secrets: {key: {file: ../key}, other: {environment: KEY}}
",
            ),
            ("more/compose.yaml", "services: {api: {image: api, env_file: [api.env]}}"),
        ]);
        assert_eq!(
            found(&project(&[("compose.yaml", "services: {web: {image: web}}")]), &env(&[])),
            [".env"],
            "what would count if it were there is left out by this test"
        );
        let dir_only: Vec<PathBuf> = files(dir.path(), &env(&[])).into_iter().filter(|path| !path.starts_with(dir.path())).collect();
        assert_eq!(dir_only, [dir.path().parent().unwrap().join("key")]);
        fs::write(dir.path().join("compose.yaml"), fs::read_to_string(dir.path().join("compose.yaml")).unwrap().replace("../key", "key"))
            .unwrap();
        assert_eq!(
            found(&dir, &env(&[])),
            [".env", "base.yaml", "db.env", "key", "more/api.env", "more/compose.yaml", "page.html", "web.env", "x.env", "x.yaml"]
        );
    }

    #[test]
    fn compose_file_is_taken_from_the_environment_else_from_dotenv() {
        let dir = project(&[(".env", "A=1\nexport COMPOSE_FILE = \"a.yaml:sub/b.yaml\"\n"), ("a.yaml", "services: {}")]);
        assert_eq!(found(&dir, &env(&[])), [".env", "a.yaml", "sub/b.yaml"]);
        assert_eq!(found(&dir, &env(&[("COMPOSE_FILE", "c.yaml")])), [".env", "c.yaml"]);
        assert_eq!(roots(project(&[("compose.txt", "")]).path(), &env(&[])), [] as [PathBuf; 0]);
    }
}
