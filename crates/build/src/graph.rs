//! The order in which artifacts can be built.

use std::collections::HashMap;
use std::sync::Arc;

use devloop_model::Artifact;
use devloop_model::ImageName;

use crate::BuildError;

/// Returns the artifacts, as positions in the slice, in levels: everything that an artifact requires
/// is in an earlier level, so that one level can be built at once. File order is kept in a level.
///
/// # Errors
/// When artifacts require one another in a circle, or one that does not exist.
pub fn order(artifacts: &[Arc<Artifact>]) -> Result<Vec<Vec<usize>>, BuildError> {
    let position: HashMap<&ImageName, usize> = artifacts.iter().enumerate().map(|(at, artifact)| (&artifact.image, at)).collect();
    let mut requires = Vec::with_capacity(artifacts.len());
    for artifact in artifacts {
        let found = artifact.requires.iter().map(|requirement| {
            position.get(&requirement.image).copied().ok_or_else(|| BuildError::UnknownRequirement {
                artifact: artifact.image.clone(),
                required: requirement.image.clone(),
                at: Box::new(artifact.at.clone()),
            })
        });
        requires.push(found.collect::<Result<Vec<usize>, _>>()?);
    }
    let mut levels: Vec<Vec<usize>> = Vec::new();
    let mut done = vec![false; artifacts.len()];
    while done.iter().any(|done| !done) {
        let level: Vec<usize> = (0..artifacts.len()).filter(|&at| !done[at] && requires[at].iter().all(|&needed| done[needed])).collect();
        if level.is_empty() {
            return Err(circle(artifacts, &requires, &done));
        }
        for &at in &level {
            done[at] = true;
        }
        levels.push(level);
    }
    Ok(levels)
}

/// Walks from any artifact that could not be ordered along its requirements until one comes twice.
fn circle(artifacts: &[Arc<Artifact>], requires: &[Vec<usize>], done: &[bool]) -> BuildError {
    let mut path: Vec<usize> = Vec::new();
    let mut next = done.iter().position(|done| !done);
    while let Some(at) = next {
        if let Some(start) = path.iter().position(|&seen| seen == at) {
            path.drain(..start);
            path.push(at);
            break;
        }
        path.push(at);
        next = requires[at].iter().copied().find(|&needed| !done[needed]);
    }
    let at = path.first().map(|&first| Box::new(artifacts[first].at.clone()));
    BuildError::Circle { images: path.into_iter().map(|at| artifacts[at].image.clone()).collect(), at }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use devloop_model::Requirement;

    use super::*;
    use crate::testing;

    fn ordered(artifacts: &[(&str, &[&str])]) -> String {
        let artifact = |(image, requires): &(&str, &[&str])| {
            let requirement = |image: &&str| Requirement { image: ImageName::parse(image).unwrap(), alias: "X".to_owned() };
            Arc::new(Artifact { requires: requires.iter().map(requirement).collect(), ..testing::docker(image, Path::new("/")) })
        };
        let artifacts: Vec<_> = artifacts.iter().map(artifact).collect();
        order(&artifacts).map_or_else(|error| error.to_string(), |levels| format!("{levels:?}"))
    }

    #[test]
    fn what_is_required_comes_first() {
        for (artifacts, expected) in [
            (&[("a", &[][..]), ("b", &[])][..], "[[0, 1]]"),
            (&[("a", &["b"]), ("b", &["c"]), ("c", &[]), ("d", &["c"])], "[[2], [1, 3], [0]]"),
            (&[], "[]"),
            (
                &[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])],
                "artifacts require one another in a circle: `a` -> `b` -> `c` -> `a`",
            ),
            (&[("a", &["z"])], "artifact `a` requires `z`, which is no artifact"),
        ] {
            assert_eq!(ordered(artifacts), expected);
        }
    }
}
