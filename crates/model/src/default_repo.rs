//! Where an image goes when a default repository is set.

use crate::ImageName;
use crate::ImageNameError;

/// What registries accept at most.
const MAX_LENGTH: usize = 255;

/// Returns the name under which `image` is pushed when `default_repo` is set: the image keeps its
/// path below registries that have nested repositories (`multi_level`, and always Google's), and
/// becomes one path component below others. An image that starts with the default repository stays, and
/// one that is named by its Go program (`ko://`) goes by the program's path.
///
/// The rules and their oddities are Skaffold's (`pkg/skaffold/docker/default_repo.go`), so that both
/// tools push to the same place.
///
/// # Errors
/// When the default repository makes a name that is not valid.
pub fn rewrite(image: &ImageName, default_repo: Option<&str>, multi_level: bool) -> Result<ImageName, ImageNameError> {
    let image = match image.import_path() {
        Some(path) => ImageName::parse(&path.to_lowercase())?,
        None => image.clone(),
    };
    let name = image.as_str();
    let Some(repo) = default_repo.filter(|repo| !repo.is_empty() && !name.starts_with(repo)) else { return Ok(image) };
    let repo_prefix = project_prefix(repo);
    if multi_level || repo_prefix.contains("gcr.io") || repo_prefix.contains("-docker.pkg.dev") {
        let own_prefix = project_prefix(name);
        if own_prefix == repo_prefix {
            return ImageName::parse(&format!("{repo}/{}", &name[own_prefix.len()..]));
        }
        return ImageName::parse(cut(&format!("{repo}/{name}")));
    }
    ImageName::parse(cut(&format!("{repo}/{}", name.replace(['/', '.', '_', ':', '@'], "_"))))
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_LENGTH)]
}

/// Returns the part of `name` that is a registry and a Google project ID, with the `/` behind it;
/// empty if there is none. A project ID has 6 to 30 lower-case letters, digits and `-`, and may be
/// just the beginning of a longer component.
fn project_prefix(name: &str) -> &str {
    let Some((domain, path)) = name.split_once('/') else { return "" };
    if !is_domain(domain) || !path.starts_with(|c: char| c.is_ascii_lowercase()) {
        return "";
    }
    let run = path.bytes().take(30).take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-').count();
    let project = path[..run].trim_end_matches('-').len();
    if project < 6 {
        return "";
    }
    let slash = usize::from(path[project..].starts_with('/'));
    &name[..domain.len() + 1 + project + slash]
}

fn is_domain(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(label) && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(image: &str, repo: &str, multi_level: bool) -> String {
        rewrite(&ImageName::parse(image).unwrap(), Some(repo), multi_level).map_or_else(|error| error.to_string(), |name| name.to_string())
    }

    #[test]
    fn names_go_where_skaffold_puts_them() {
        for (image, repo, multi_level, expected) in [
            ("gcr.io/some/registry", "gcr.io/default", false, "gcr.io/default/gcr.io/some/registry"),
            ("github.com/org/app", "us-central1-docker.pkg.dev/default", false, "us-central1-docker.pkg.dev/default/github.com/org/app"),
            ("gcr.io/some/registry", "", false, "gcr.io/some/registry"),
            ("gcr.io/default/registry", "gcr.io/default", false, "gcr.io/default/registry"),
            ("eu.gcr.io/project/registry", "eu.gcr.io/project", false, "eu.gcr.io/project/registry"),
            ("gcr.io/default/example/registry", "gcr.io/default/repository", false, "gcr.io/default/repository/example/registry"),
            (
                "gcr.io/some/registry",
                "aws_account_id.dkr.ecr.region.amazonaws.com",
                false,
                "aws_account_id.dkr.ecr.region.amazonaws.com/gcr_io_some_registry",
            ),
            (
                "gcr.io/some/registry",
                "aws_account_id.dkr.ecr.region.amazonaws.com",
                true,
                "aws_account_id.dkr.ecr.region.amazonaws.com/gcr.io/some/registry",
            ),
            ("gcr.io/k8s-skaffold/skaffold-example", "gcr.io/k8s-skaffold", false, "gcr.io/k8s-skaffold/skaffold-example"),
            ("myrepo/skaffold-example", "myrepo", false, "myrepo/skaffold-example"),
            ("example.com/cmd/app", "gcr.io/default", false, "gcr.io/default/example.com/cmd/app"),
            ("example.com/cmd/app", "myrepo", false, "myrepo/example_com_cmd_app"),
            ("example.com/cmd/app", "myrepo", true, "myrepo/example.com/cmd/app"),
            ("ko://example.com/cmd/App", "gcr.io/default", false, "gcr.io/default/example.com/cmd/app"),
            ("ko://example.com/cmd/app", "myrepo", false, "myrepo/example_com_cmd_app"),
            ("ko://example.com/cmd/app", "myrepo", true, "myrepo/example.com/cmd/app"),
            ("ko://example.com/cmd/app", "", false, "example.com/cmd/app"),
            ("img", "gcr.io/default", false, "gcr.io/default/img"),
            // A project ID has at least six characters: below that Google's registry is none.
            ("some/app", "gcr.io/short", false, "gcr.io/short/some_app"),
            // The prefix is text, not a path.
            ("myrepository/app", "myrepo", false, "myrepository/app"),
            ("web", "localhost:5000", false, "localhost:5000/web"),
            ("team/web", "localhost:5000", false, "localhost:5000/team_web"),
            ("team/web", "localhost:5000", true, "localhost:5000/team/web"),
        ] {
            assert_eq!(rewritten(image, repo, multi_level), expected, "{image} into {repo}");
        }
    }

    #[test]
    fn without_a_default_repository_nothing_changes() {
        let image = ImageName::parse("gcr.io/some/registry").unwrap();
        assert_eq!(rewrite(&image, None, true).unwrap(), image);
    }

    #[test]
    fn long_names_are_cut_where_skaffold_cuts_them() {
        let long = "gcr.io/herewehaveanincrediblylongregistryname/herewealsohaveanabnormallylongimagename/doubtyouveseenanimagethislong/\
                    butyouneverknowdoyouimeanpeopledosomecrazystuffoutthere/goodluckpushingthistoanyregistrymyfriend";
        let result = rewritten(long, "aws_account_id.dkr.ecr.region.amazonaws.com", false);
        assert_eq!(result.len(), 255);
        assert_eq!(rewritten(long, "aws_account_id.dkr.ecr.region.amazonaws.com", true).len(), 255);
        let image = format!("gcr.io/default/{}", "a".repeat(250));
        assert_eq!(rewritten(&image, "gcr.io/default/repository", false).len(), 276, "not under the prefix that both have");
        assert!(result.ends_with("_goodluckpushingthistoanyregistrymyfrien"), "{result}");
    }

    #[test]
    fn a_cut_falls_between_characters() {
        for letters in 120..130 {
            assert!(rewritten("web", &"ö".repeat(letters), true).contains("is not a valid image name"), "{letters}");
        }
    }

    #[test]
    fn a_default_repository_that_is_no_name_is_an_error() {
        insta::assert_snapshot!(
            rewritten("web", "My Repo", false),
            @"`My Repo/web` is not a valid image name: its registry has characters that a host name cannot have"
        );
    }
}
