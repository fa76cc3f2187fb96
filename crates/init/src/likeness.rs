//! Which builder an image is probably built by: told from names.

use std::collections::HashMap;

use crate::builder::Builder;
use crate::builder::Kind;
use crate::tree::file_name;

/// How far a name is from an image; the nearest is 0.
type Distance = usize;

/// What builders are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(HashMap<String, Vec<(Distance, Builder)>>);

impl Names {
    /// Returns what builders are called in a project of that name.
    pub(crate) fn of(builders: &[Builder], project: &str) -> Self {
        let mut names: HashMap<String, Vec<(Distance, Builder)>> = HashMap::new();
        for builder in builders {
            for (distance, name) in names_of(builder, project) {
                names.entry(name).or_default().push((distance, builder.clone()));
            }
        }
        Self(names)
    }

    /// Returns the open builder whose name is nearest to that of an image; none where nothing is near, or several directories are equally so.
    pub(crate) fn nearest(&self, image: &str, is_open: impl Fn(&Builder) -> bool) -> Option<&Builder> {
        let named = self.0.get(&plain(file_name(image)))?;
        let open: Vec<&(Distance, Builder)> = named.iter().filter(|(_, builder)| is_open(builder)).collect();
        let least = open.iter().map(|(distance, _)| *distance).min()?;
        let mut nearest: Vec<&Builder> = Vec::new();
        for (_, builder) in open.into_iter().filter(|(distance, _)| *distance == least) {
            if !nearest.contains(&builder) {
                nearest.push(builder);
            }
        }
        one(&nearest)
    }
}

/// Returns the best of several builders of one directory; none if they are of several, or are several of one kind.
pub(crate) fn one<'b>(builders: &[&'b Builder]) -> Option<&'b Builder> {
    let best = builders.iter().min_by_key(|builder| (builder.kind, !is_plain(builder)))?;
    let is_open = |other: &&&Builder| {
        other.directory() != best.directory() || (other.kind == best.kind && **other != *best && is_plain(other) == is_plain(best))
    };
    builders.iter().find(is_open).is_none().then_some(best)
}

/// A file with the usual name is meant where there are others beside it.
fn is_plain(builder: &Builder) -> bool {
    builder.kind != Kind::Docker || file_name(&builder.path) == "Dockerfile"
}

/// Returns every name of a builder: its own, that of its whole directory, then those of the directories outwards, and of the project.
fn names_of(builder: &Builder, project: &str) -> Vec<(Distance, String)> {
    let parts: Vec<&str> = builder.directory().split('/').filter(|part| *part != ".").collect();
    let mut names: Vec<(Distance, String)> = own_name(builder).map(|name| (0, plain(&name))).into_iter().collect();
    if !parts.is_empty() {
        names.push((1, plain(&parts.join("-"))));
    }
    let outwards = parts.iter().rev().chain([&project]);
    names.extend(outwards.clone().enumerate().map(|(at, part)| (at + 2, plain(part))));
    // `shop-web` in the folder `shop` is `web`.
    names.extend(outwards.take(1).map(|part| (2, format!("{}-{}", plain(project), plain(part)))));
    names
}

/// Returns what the builder itself is called: `web` of `Dockerfile.web`, `web.Dockerfile`, `./cmd/web` and `group:web`.
fn own_name(builder: &Builder) -> Option<String> {
    match builder.kind {
        Kind::Docker => {
            let name = file_name(&builder.path).to_lowercase().replace("dockerfile", "");
            Some(name.trim_matches(['.', '-', '_']).to_owned()).filter(|name| !name.is_empty())
        }
        Kind::Ko if !builder.main.is_empty() => Some(file_name(&builder.main).to_owned()),
        Kind::JibMaven | Kind::JibGradle => builder.project.rsplit(':').next().filter(|name| !name.is_empty()).map(str::to_owned),
        _ => None,
    }
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        let docker = |path: &str| Builder::new(Kind::Docker, path);
        let ko = |main: &str| Builder { main: main.into(), ..Builder::new(Kind::Ko, "go.mod") };
        for (image, builders, expected) in [
            ("gcr.io/p/leeroy-app", vec![docker("leeroy-app/Dockerfile"), docker("leeroy-web/Dockerfile")], Some("leeroy-app/Dockerfile")),
            ("web", vec![docker("docker/web.Dockerfile"), docker("docker/api.Dockerfile")], Some("docker/web.Dockerfile")),
            ("web", vec![docker("apps/web/build/Dockerfile"), docker("apps/api/build/Dockerfile")], Some("apps/web/build/Dockerfile")),
            ("a-web", vec![docker("a/web/Dockerfile"), docker("b/web/Dockerfile")], Some("a/web/Dockerfile")),
            ("web", vec![docker("a/web/Dockerfile"), docker("b/web/Dockerfile")], None),
            ("web", vec![docker("web/Dockerfile"), Builder::new(Kind::Buildpacks, "web/package.json")], Some("web/Dockerfile")),
            ("web", vec![docker("web/Dockerfile"), docker("web/Dockerfile.dev")], Some("web/Dockerfile")),
            ("web", vec![docker("web/Dockerfile.a"), docker("web/Dockerfile.b")], None),
            ("shop", vec![docker("Dockerfile"), docker("db/Dockerfile")], Some("Dockerfile")),
            ("shop-db", vec![docker("Dockerfile"), docker("db/Dockerfile")], Some("db/Dockerfile")),
            ("My_Web", vec![docker("my.web/Dockerfile")], Some("my.web/Dockerfile")),
            ("worker", vec![ko("./cmd/web"), ko("./cmd/worker")], Some("go.mod")),
            ("postgres", vec![docker("web/Dockerfile")], None),
        ] {
            assert_eq!(
                Names::of(&builders, "shop").nearest(image, |_| true).map(|builder| builder.path.as_str()),
                expected,
                "{image} {builders:?}"
            );
        }
    }
}
