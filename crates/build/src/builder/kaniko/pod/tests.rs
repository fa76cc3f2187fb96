//! Pods from configurations.

use std::collections::BTreeMap;

use devloop_model::KanikoCache;
use devloop_model::PullSecret;

use super::*;

fn object(spec: &KanikoBuild, cluster: &ClusterBuild, platform: Option<&str>, with_secrets: bool) -> Value {
    let platform = platform.map(|platform| Platform::parse(platform).unwrap());
    let pull = Mounted { name: "kaniko-secret".to_owned(), key: "kaniko-secret".to_owned() };
    let config = Mounted { name: "docker-cfg".to_owned(), key: ".dockerconfigjson".to_owned() };
    let owner = json!({"kind": "Lease", "name": "devloop-build-x1"});
    let pod = Pod {
        spec,
        cluster,
        name: "kaniko-x1",
        namespace: &Namespace("skaffold".to_owned()),
        owner: with_secrets.then_some(&owner),
        platform: platform.as_ref(),
        arguments: &["--destination".to_owned(), "web:v1".to_owned()],
        environment: vec![json!({"name": "A", "value": "b"})],
        pull_secret: with_secrets.then_some(&pull),
        docker_config: with_secrets.then_some(&config),
    };
    pod.object()
}

fn spec() -> KanikoBuild {
    KanikoBuild { digest_file: KanikoBuild::DIGEST_FILE.to_owned(), ..KanikoBuild::default() }
}

fn lines(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn a_plain_pod_has_two_containers_and_a_directory_between() {
    let cluster = ClusterBuild { timeout: Duration::from_mins(20), ..ClusterBuild::default() };
    insta::assert_snapshot!(lines(&object(&spec(), &cluster, None, false)), @r#"
    {
      "apiVersion": "v1",
      "kind": "Pod",
      "metadata": {
        "name": "kaniko-x1",
        "namespace": "skaffold",
        "labels": {
          "skaffold-kaniko": "skaffold-kaniko",
          "app.kubernetes.io/managed-by": "devloop"
        }
      },
      "spec": {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": 1260,
        "initContainers": [
          {
            "name": "kaniko-init-container",
            "image": "gcr.io/k8s-skaffold/skaffold-helpers/busybox",
            "imagePullPolicy": "IfNotPresent",
            "command": [
              "sh",
              "-c",
              "while [ ! -f /tmp/complete ]; do sleep 0.1 2>/dev/null || sleep 1; done"
            ],
            "volumeMounts": [
              {
                "name": "kaniko-emptydir",
                "mountPath": "/kaniko/buildcontext"
              }
            ],
            "resources": {}
          }
        ],
        "containers": [
          {
            "name": "kaniko",
            "image": "gcr.io/kaniko-project/executor:latest",
            "imagePullPolicy": "IfNotPresent",
            "args": [
              "--destination",
              "web:v1"
            ],
            "env": [
              {
                "name": "A",
                "value": "b"
              }
            ],
            "volumeMounts": [
              {
                "name": "kaniko-emptydir",
                "mountPath": "/kaniko/buildcontext"
              }
            ],
            "resources": {},
            "terminationMessagePath": "/dev/termination-log"
          }
        ],
        "volumes": [
          {
            "name": "kaniko-emptydir",
            "emptyDir": {}
          }
        ]
      }
    }
    "#);
}

#[test]
fn everything_that_can_be_configured_is_in_the_pod() {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let spec = KanikoBuild {
        image: Some("kaniko:v1".to_owned()),
        init_image: Some("busybox".to_owned()),
        image_pull_secret: Some("registry".to_owned()),
        digest_file: "/kaniko/digest".to_owned(),
        cache: Some(KanikoCache { host_path: Some("/var/lib/warm".to_owned()), ..KanikoCache::default() }),
        volume_mounts: vec![json!({"name": "modcache", "mountPath": "/var/run/gomodcache"})],
        ..spec()
    };
    let cluster = ClusterBuild {
        timeout: Duration::from_mins(5),
        pull_secret: Some(PullSecret { name: "kaniko-secret".to_owned(), path: None, mount_path: "/keys".to_owned(), is_random: false }),
        service_account: Some("builder".to_owned()),
        tolerations: vec![json!({"key": "ci", "operator": "Exists"})],
        node_selector: map(&[("pool", "build"), ("kubernetes.io/arch", "mine")]),
        annotations: map(&[("note", "n")]),
        labels: map(&[("team", "t")]),
        run_as_user: Some(0),
        resources: Some(json!({"limits": {"memory": "1Gi"}})),
        volumes: vec![json!({"name": "modcache", "hostPath": {"path": "/mnt/modcache"}})],
        ..ClusterBuild::default()
    };
    insta::assert_snapshot!(lines(&object(&spec, &cluster, Some("linux/arm64"), true)), @r#"
    {
      "apiVersion": "v1",
      "kind": "Pod",
      "metadata": {
        "name": "kaniko-x1",
        "namespace": "skaffold",
        "labels": {
          "skaffold-kaniko": "skaffold-kaniko",
          "app.kubernetes.io/managed-by": "devloop",
          "team": "t"
        },
        "annotations": {
          "note": "n"
        },
        "ownerReferences": [
          {
            "kind": "Lease",
            "name": "devloop-build-x1"
          }
        ]
      },
      "spec": {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": 360,
        "initContainers": [
          {
            "name": "kaniko-init-container",
            "image": "busybox",
            "imagePullPolicy": "IfNotPresent",
            "command": [
              "sh",
              "-c",
              "while [ ! -f /tmp/complete ]; do sleep 0.1 2>/dev/null || sleep 1; done"
            ],
            "volumeMounts": [
              {
                "name": "kaniko-emptydir",
                "mountPath": "/kaniko/buildcontext"
              },
              {
                "name": "modcache",
                "mountPath": "/var/run/gomodcache"
              }
            ],
            "resources": {
              "limits": {
                "memory": "1Gi"
              }
            }
          }
        ],
        "containers": [
          {
            "name": "kaniko",
            "image": "kaniko:v1",
            "imagePullPolicy": "IfNotPresent",
            "args": [
              "--destination",
              "web:v1"
            ],
            "env": [
              {
                "name": "A",
                "value": "b"
              }
            ],
            "volumeMounts": [
              {
                "name": "kaniko-emptydir",
                "mountPath": "/kaniko/buildcontext"
              },
              {
                "name": "kaniko-secret",
                "mountPath": "/keys"
              },
              {
                "name": "kaniko-cache",
                "mountPath": "/cache"
              },
              {
                "name": "docker-cfg",
                "mountPath": "/kaniko/.docker"
              },
              {
                "name": "modcache",
                "mountPath": "/var/run/gomodcache"
              }
            ],
            "resources": {
              "limits": {
                "memory": "1Gi"
              }
            },
            "terminationMessagePath": "/kaniko/digest"
          }
        ],
        "volumes": [
          {
            "name": "kaniko-emptydir",
            "emptyDir": {}
          },
          {
            "name": "kaniko-secret",
            "secret": {
              "secretName": "kaniko-secret"
            }
          },
          {
            "name": "kaniko-cache",
            "hostPath": {
              "path": "/var/lib/warm"
            }
          },
          {
            "name": "docker-cfg",
            "secret": {
              "secretName": "docker-cfg",
              "items": [
                {
                  "key": ".dockerconfigjson",
                  "path": "config.json"
                }
              ]
            }
          },
          {
            "name": "modcache",
            "hostPath": {
              "path": "/mnt/modcache"
            }
          }
        ],
        "serviceAccountName": "builder",
        "securityContext": {
          "runAsUser": 0
        },
        "tolerations": [
          {
            "key": "ci",
            "operator": "Exists"
          }
        ],
        "nodeSelector": {
          "kubernetes.io/arch": "mine",
          "kubernetes.io/os": "linux",
          "pool": "build"
        },
        "imagePullSecrets": [
          {
            "name": "registry"
          }
        ]
      }
    }
    "#);
}
