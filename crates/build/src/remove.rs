//! Images that nobody needs any more, out of the daemon that built them.

use devloop_clients::Clients;
use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Identity;

use crate::BuildError;

/// Takes the names that a build gave to an image off it, and so the image away where it has no others; untagged images
/// that it was built on go with it if `parents`. Returns whether it is gone: one that a container uses stays.
///
/// # Errors
/// When the daemon cannot be asked, or refuses for another reason.
pub async fn remove(image: &BuiltImage, parents: bool, clients: &Clients, cx: &Cx) -> Result<bool, BuildError> {
    let Identity::Id(id) = &image.identity else { return Ok(true) };
    let docker = clients.docker(cx).await?;
    let tagged = image.tagged();
    // The tag may be that of a later build by now.
    let is_tagged = docker.image_id(&tagged, cx).await?.as_ref() == Some(id);
    Ok((!is_tagged || remove_name(&tagged, parents, docker, cx).await?) && remove_name(&image.deployed(), parents, docker, cx).await?)
}

async fn remove_name(name: &str, parents: bool, docker: &Docker, cx: &Cx) -> Result<bool, DockerError> {
    match docker.remove_image_with(name, parents, cx).await {
        Err(DockerError::InUse { .. }) => Ok(false),
        removed => removed.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use devloop_clients::ClientSettings;
    use devloop_model::Env;
    use devloop_model::ImageId;
    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;
    use crate::testing::Reply;
    use crate::testing::Server;

    const ID: char = 'a';

    fn id(digit: char) -> ImageId {
        ImageId::parse(&format!("sha256:{}", digit.to_string().repeat(64))).unwrap()
    }

    /// Removes an image from a daemon in which its tag stands for `tagged`; returns whether it is gone, and what was asked.
    async fn removed(tagged: char, in_use: bool, parents: bool) -> (bool, Vec<String>) {
        let daemon = Server::start(move |line| match line.split_once(' ').unwrap() {
            (_, path) if path.ends_with("/version") => {
                Reply::of(200, r#"{"Version":"27.0","ApiVersion":"1.47","Os":"linux","Arch":"amd64"}"#)
            }
            ("GET", path) if path.ends_with("/json") => Reply::of(200, &format!(r#"{{"Id":"{}"}}"#, id(tagged))),
            ("DELETE", path) if in_use && path.contains(id(ID).hex()) => Reply::of(409, r#"{"message":"conflict"}"#),
            ("DELETE", _) => Reply::of(200, "[]"),
            _ => Reply::of(404, r#"{"message":"no"}"#),
        });
        let variables = BTreeMap::from([("DOCKER_HOST".to_owned(), format!("tcp://{}", daemon.address))]);
        let clients = Clients::new(ClientSettings { env: Env::new(variables), ..ClientSettings::default() });
        let image = BuiltImage {
            artifact: "web".parse().unwrap(),
            name: "web".parse().unwrap(),
            tag: Some("v1".parse().unwrap()),
            identity: Identity::Id(id(ID)),
            runtime: None,
        };
        let gone = remove(&image, parents, &clients, &Cx::silent(StepId::of(Stage::Attach))).await.unwrap();
        let asked = daemon.asked_with_queries().into_iter().filter_map(|line| Some(line.strip_prefix("DELETE ")?.to_owned()));
        (gone, asked.map(|path| path.rsplit("/images/").next().unwrap().replace("%3A", ":").replace(id(ID).hex(), "ID")).collect())
    }

    #[tokio::test]
    async fn the_names_of_the_build_go() {
        let both = ["web:v1?force=false&noprune=false", "web:ID?force=false&noprune=false"];
        assert_eq!(removed(ID, false, true).await, (true, both.map(str::to_owned).to_vec()));
    }

    #[tokio::test]
    async fn a_tag_that_a_later_build_has_stays() {
        assert_eq!(removed('b', false, false).await, (true, vec!["web:ID?force=false&noprune=true".to_owned()]));
    }

    #[tokio::test]
    async fn an_image_that_a_container_uses_stays() {
        assert!(!removed(ID, true, true).await.0);
    }
}
