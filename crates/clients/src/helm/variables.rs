//! Variables of the built images, for `setValueTemplates` and the paths of values files.
//!
//! Facts: `envVarForImage` in Skaffold's `pkg/skaffold/helm/args.go`.

use devloop_model::BuiltImage;
use devloop_model::ImageRef;
use devloop_model::Vars;

/// Returns `vars` with those of the images: `IMAGE_TAG` is that of the first one, `IMAGE_TAG2` of the second, and
/// `IMAGE_TAG_my_app` that of `my-app`.
pub fn image_variables(vars: &Vars, images: &[BuiltImage]) -> Vars {
    let mut all = vars.clone();
    for (index, image) in images.iter().enumerate() {
        let number = if index == 0 { String::new() } else { (index + 1).to_string() };
        let name = image.artifact.as_str().replace(['.', '-', '/', ':'], "_");
        for (variable, value) in of_image(image) {
            all = all.with(format!("{variable}{number}"), value.clone()).with(format!("{variable}_{name}"), value);
        }
    }
    all
}

fn of_image(image: &BuiltImage) -> Vec<(&'static str, String)> {
    let deployed = image.deployed();
    let mut variables = vec![("IMAGE_NAME", image.artifact.as_str().to_owned()), ("DIGEST", deployed.clone())];
    if let Ok(reference) = ImageRef::parse(&deployed) {
        let repository = reference.name.as_str();
        let (domain, rest) = split_domain(repository);
        variables.extend([
            ("IMAGE_REPO", repository.to_owned()),
            ("IMAGE_TAG", reference.tag.map(|tag| tag.to_string()).unwrap_or_default()),
            ("IMAGE_DIGEST", reference.digest.map(|digest| digest.to_string()).unwrap_or_default()),
            ("IMAGE_DOMAIN", domain.to_owned()),
            ("IMAGE_REPO_NO_DOMAIN", rest.to_owned()),
        ]);
    }
    // These two mean something only for a bare digest, and are kept for charts that use them.
    match deployed.split_once(':') {
        Some((algorithm, hex)) => variables.extend([("DIGEST_ALGO", algorithm.to_owned()), ("DIGEST_HEX", hex.to_owned())]),
        None => variables.push(("DIGEST_HEX", deployed.clone())),
    }
    variables.push(("IMAGE_FULLY_QUALIFIED", deployed));
    variables
}

/// Returns what stands before the first `/` if it could be a host, as the grammar of distribution has it, which takes `team` in
/// `team/web` for one.
fn split_domain(repository: &str) -> (&str, &str) {
    let is_part = |part: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && ends(part.chars().next()) && ends(part.chars().last())
    };
    let is_host = |text: &str| {
        let (host, port) = text.split_once(':').unwrap_or((text, "0"));
        host.split('.').all(is_part) && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
    };
    repository.split_once('/').filter(|(first, _)| is_host(first)).unwrap_or(("", repository))
}

#[cfg(test)]
mod tests {
    use devloop_model::Digest;
    use devloop_model::Identity;
    use devloop_model::ImageName;
    use devloop_model::Tag;

    use super::*;

    fn image(artifact: &str, name: &str, identity: Identity) -> BuiltImage {
        BuiltImage {
            artifact: ImageName::parse(artifact).unwrap(),
            name: ImageName::parse(name).unwrap(),
            tag: Some(Tag::parse("v1").unwrap()),
            identity,
            runtime: None,
        }
    }

    #[test]
    fn an_image_is_found_by_its_number_and_by_its_name() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let pushed = image("team/my.app", "localhost:5000/team/my.app", Identity::Digest(Digest::parse(&digest).unwrap()));
        let named = image("api", "api", Identity::AsNamed);
        let vars = image_variables(&Vars::default().with("HOME", "/me"), &[pushed, named]);
        let full = format!("localhost:5000/team/my.app:v1@{digest}");
        for (variable, value) in [
            ("HOME", "/me"),
            ("IMAGE_NAME", "team/my.app"),
            ("IMAGE_REPO", "localhost:5000/team/my.app"),
            ("IMAGE_TAG_team_my_app", "v1"),
            ("IMAGE_DIGEST", &digest),
            ("IMAGE_DOMAIN", "localhost:5000"),
            ("IMAGE_REPO_NO_DOMAIN", "team/my.app"),
            ("IMAGE_FULLY_QUALIFIED", &full),
            ("DIGEST", &full),
            ("DIGEST_ALGO", "localhost"),
            ("IMAGE_NAME2", "api"),
            ("IMAGE_REPO_api", "api"),
            ("IMAGE_DIGEST2", ""),
            ("IMAGE_DOMAIN_api", ""),
            ("IMAGE_REPO_NO_DOMAIN2", "api"),
            ("DIGEST_HEX2", "v1"),
        ] {
            assert_eq!(vars.get(variable), Some(value), "{variable}");
        }
        assert_eq!((vars.get("IMAGE_TAG1"), vars.get("IMAGE_TAG3")), (None, None));
    }

    #[test]
    fn the_first_part_of_a_name_may_be_a_host() {
        for (repository, domain, rest) in [
            ("web", "", "web"),
            ("team/web", "team", "web"),
            ("gcr.io/p/web", "gcr.io", "p/web"),
            ("my_team/web", "", "my_team/web"),
            ("host:5000/web", "host:5000", "web"),
        ] {
            assert_eq!(split_domain(repository), (domain, rest), "{repository}");
        }
    }
}
