use std::collections::BTreeMap;

use super::*;

fn spec<'a>(cluster: &'a ClusterBuild, namespace: &'a Namespace) -> Spec<'a> {
    Spec {
        image: "reg.io/devloop-builder:1",
        namespace,
        user: "ann",
        platform: None,
        cluster,
        insecure: &[],
        registry: None,
        idle: Duration::from_mins(30),
        unconfined: false,
    }
}

#[test]
fn a_builder_asks_for_no_privilege() {
    let (cluster, namespace) = (ClusterBuild::default(), Namespace("dev".to_owned()));
    let job = spec(&cluster, &namespace).job();
    insta::assert_snapshot!(serde_json::to_string_pretty(&job["spec"]["template"]["spec"]).unwrap(), @r#"
    {
      "restartPolicy": "Never",
      "enableServiceLinks": false,
      "automountServiceAccountToken": false,
      "terminationGracePeriodSeconds": 5,
      "containers": [
        {
          "name": "builder",
          "image": "reg.io/devloop-builder:1",
          "command": [
            "/bin/devloop",
            "builder",
            "launch",
            "--idle=1800s"
          ],
          "env": [],
          "volumeMounts": [
            {
              "name": "builder-cache",
              "mountPath": "/var/lib/devloop-builder"
            }
          ],
          "terminationMessagePolicy": "FallbackToLogsOnError"
        }
      ],
      "volumes": [
        {
          "name": "builder-cache",
          "emptyDir": {}
        }
      ]
    }
    "#);
    assert!(job["metadata"]["name"].as_str().unwrap().starts_with("devloop-builder-ann-"), "{job}");
}

#[test]
fn every_setting_of_the_cluster_is_in_its_place() {
    let namespace = Namespace("dev".to_owned());
    let text = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
    let cluster = ClusterBuild {
        http_proxy: Some("http://p".to_owned()),
        service_account: Some("builds".to_owned()),
        tolerations: vec![json!({ "key": "ci" })],
        node_selector: text(&[("pool", "ci")]),
        annotations: text(&[("a", "1")]),
        labels: text(&[("l", "2")]),
        resources: Some(json!({ "limits": { "cpu": "2" } })),
        volumes: vec![json!({ "name": "builder-cache", "persistentVolumeClaim": { "claimName": "c" } })],
        ..ClusterBuild::default()
    };
    let platform = Platform::parse("linux/arm64").unwrap();
    let registry = LocalRegistry { host: "localhost:5000".to_owned(), from_pods: Some("10.0.0.1:5000".to_owned()) };
    let insecure = ["reg.lan:5000".to_owned()];
    let spec =
        Spec { platform: Some(&platform), registry: Some(&registry), insecure: &insecure, unconfined: true, ..spec(&cluster, &namespace) };
    insta::assert_snapshot!(serde_json::to_string_pretty(&spec.job()["spec"]["template"]).unwrap(), @r#"
    {
      "metadata": {
        "labels": {
          "devloop.dev/builder": "buildkit",
          "devloop.dev/builder-user": "ann",
          "l": "2"
        },
        "annotations": {
          "a": "1"
        }
      },
      "spec": {
        "restartPolicy": "Never",
        "enableServiceLinks": false,
        "automountServiceAccountToken": false,
        "terminationGracePeriodSeconds": 5,
        "containers": [
          {
            "name": "builder",
            "image": "reg.io/devloop-builder:1",
            "command": [
              "/bin/devloop",
              "builder",
              "launch",
              "--idle=1800s",
              "--insecure-registry=reg.lan:5000",
              "--relay=5000=10.0.0.1:5000"
            ],
            "env": [
              {
                "name": "HTTP_PROXY",
                "value": "http://p"
              }
            ],
            "volumeMounts": [
              {
                "name": "builder-cache",
                "mountPath": "/var/lib/devloop-builder"
              }
            ],
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": {
              "limits": {
                "cpu": "2"
              }
            }
          }
        ],
        "volumes": [
          {
            "name": "builder-cache",
            "persistentVolumeClaim": {
              "claimName": "c"
            }
          }
        ],
        "serviceAccountName": "builds",
        "tolerations": [
          {
            "key": "ci"
          }
        ],
        "nodeSelector": {
          "pool": "ci",
          "kubernetes.io/os": "linux",
          "kubernetes.io/arch": "arm64"
        },
        "securityContext": {
          "seccompProfile": {
            "type": "Unconfined"
          },
          "appArmorProfile": {
            "type": "Unconfined"
          }
        }
      }
    }
    "#);
}

#[test]
fn other_settings_are_another_builder() {
    let (cluster, namespace) = (ClusterBuild::default(), Namespace("dev".to_owned()));
    let name = |spec: Spec<'_>| spec.job()["metadata"]["name"].as_str().unwrap().to_owned();
    let one = spec(&cluster, &namespace);
    assert_eq!(name(one), name(one));
    assert_ne!(name(one), name(Spec { image: "reg.io/devloop-builder:2", ..one }));
    assert_ne!(name(one), name(Spec { user: "bob", ..one }));
}

#[test]
fn only_a_loopback_is_relayed() {
    for (host, inside, expected) in [
        ("localhost:5000", Some("10.0.0.1:5000"), Some("5000=10.0.0.1:5000")),
        ("127.0.0.1:5001", Some("registry"), Some("5001=registry:80")),
        ("localhost:5000", None, None),
        ("registry.lan:5000", Some("10.0.0.1:5000"), None),
    ] {
        let registry = LocalRegistry { host: host.to_owned(), from_pods: inside.map(str::to_owned) };
        assert_eq!(relay(&registry).as_deref(), expected, "{host}");
    }
}

#[test]
fn people_have_names_that_kubernetes_takes() {
    for (user, name) in
        [("Ann.Lee", "ann-lee"), ("", "somebody"), ("--", "somebody"), ("a23456789012345678-012345", "a23456789012345678-0")]
    {
        assert_eq!(user_in_names(user), name);
    }
}
