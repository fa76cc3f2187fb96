//! Whole Compose files.

use std::fs;

use super::*;

fn convert(text: &str, files: &[(&str, &str)]) -> Result<Converted, Diagnostic> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("compose.yaml"), text).unwrap();
    for (path, text) in files {
        fs::write(folder.path().join(path), text).unwrap();
    }
    let env = Env::new([("SET".to_owned(), "here".to_owned())].into());
    Converted::read(folder.path(), "compose.yaml", &env)
}

#[test]
fn a_service_becomes_a_deployment_that_others_reach_by_its_name() {
    let text = r#"
services:
  web:
    image: web:${TAG:-v1}
    entrypoint: ["/bin/web"]
    command: serve --name "my shop" $$HOME
    environment:
      - DB=db
      - SET
      - UNSET
    env_file: .web
    ports: ["8080:80", "127.0.0.1:9090:90/udp"]
    expose: ["7000"]
    volumes: ["data:/data", "./src:/src:ro", "/cache", {type: tmpfs, target: /tmp}]
    healthcheck: {test: curl localhost, interval: 1m30s, retries: 5}
    deploy: {replicas: 2, resources: {limits: {cpus: '0.5', memory: 512M}}}
    depends_on: [db]
    shm_size: 64m
"#;
    let found = convert(text, &[(".web", "A=file\nDB=other\n"), (".env", "TAG=v2\n")]).unwrap();
    assert_eq!(found.files[0].path, "k8s/web.yaml");
    insta::assert_snapshot!(found.files[0].text, @r#"
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata:
      name: data
    spec:
      accessModes:
      - ReadWriteOnce
      resources:
        requests:
          storage: 1Gi
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      labels:
        app: web
    spec:
      selector:
        app: web
      ports:
      - name: tcp-80
        port: 80
        targetPort: 80
        protocol: TCP
      - name: udp-90
        port: 90
        targetPort: 90
        protocol: UDP
      - name: tcp-7000
        port: 7000
        targetPort: 7000
        protocol: TCP
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
      labels:
        app: web
    spec:
      replicas: 2
      strategy:
        type: Recreate
      selector:
        matchLabels:
          app: web
      template:
        metadata:
          labels:
            app: web
        spec:
          enableServiceLinks: false
          containers:
          - name: web
            image: web:v2
            command:
            - /bin/web
            args:
            - serve
            - --name
            - my shop
            - $HOME
            env:
            - name: A
              value: file
            - name: DB
              value: db
            - name: SET
              value: here
            ports:
            - containerPort: 80
              protocol: TCP
            - containerPort: 90
              protocol: UDP
            - containerPort: 7000
              protocol: TCP
            readinessProbe:
              exec:
                command:
                - /bin/sh
                - -c
                - curl localhost
              periodSeconds: 90
              failureThreshold: 5
            volumeMounts:
            - name: volume-0
              mountPath: /data
            - name: volume-1
              mountPath: /cache
            - name: volume-2
              mountPath: /tmp
            resources:
              limits:
                cpu: "0.5"
                memory: 512Mi
          volumes:
          - name: volume-0
            persistentVolumeClaim:
              claimName: data
          - name: volume-1
            emptyDir: {}
          - name: volume-2
            emptyDir:
              medium: Memory
    "#);
    insta::assert_snapshot!(found.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @r#"
    warning[init/compose-left-out]: `shm_size` of the service `web` is left out
      --> compose.yaml:18:15
       |
    18 |     shm_size: 64m
       |               ^^^
    warning[init/compose-left-out]: `./src` at `/src` is left out: a pod has no files of this machine
      --> compose.yaml:14:29
       |
    14 |     volumes: ["data:/data", "./src:/src:ro", "/cache", {type: tmpfs, target: /tmp}]
       |                             ^^^^^^^^^^^^^^^
    help: let the image have them, and `sync` keep them up to date
    "#);
    assert_eq!(found.forwards, [Forward { service: "web".into(), port: 80, local: Some(8080) }]);
    assert_eq!(found.foreign, ["web:v2"]);
}

#[test]
fn a_service_without_a_port_has_a_name_all_the_same() {
    let found = convert("services:\n  my_db: {image: postgres, tty: true, cap_add: [NET_ADMIN], read_only: true}\n", &[]).unwrap();
    insta::assert_snapshot!(found.files[0].text, @r"
    apiVersion: v1
    kind: Service
    metadata:
      name: my-db
      labels:
        app: my-db
    spec:
      selector:
        app: my-db
      clusterIP: None
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: my-db
      labels:
        app: my-db
    spec:
      selector:
        matchLabels:
          app: my-db
      template:
        metadata:
          labels:
            app: my-db
        spec:
          enableServiceLinks: false
          containers:
          - name: my-db
            image: postgres
            tty: true
            securityContext:
              readOnlyRootFilesystem: true
              capabilities:
                add:
                - NET_ADMIN
    ");
    assert!(found.warnings[0].what.contains("is called `my-db`"), "{:?}", found.warnings);
}

#[test]
fn services_share_a_volume() {
    let found = convert("services:\n  a: {image: x, volumes: ['d:/a', 'd:/b']}\n  b: {image: y, volumes: ['d:/a']}\n", &[]).unwrap();
    let claims: Vec<usize> = found.files.iter().map(|file| file.text.matches("kind: PersistentVolumeClaim").count()).collect();
    assert_eq!(claims, [1, 0]);
}

#[test]
fn variables_are_put_in() {
    for (text, expected) in
        [("$SET-$$SET", "here-$SET"), ("${SET}x", "herex"), ("${NONE-a}${SET:+b}${NONE:+c}", "ab"), ("${EMPTY:-d}${EMPTY-e}", "d")]
    {
        let found = convert(&format!("services: {{a: {{image: '{text}'}}}}"), &[(".env", "EMPTY=\n")]).unwrap();
        assert_eq!(found.foreign, [expected], "{text}");
    }
    let found = convert("services: {a: {image: 'x$NONE', command: '$NONE'}}", &[]).unwrap();
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn what_is_no_compose_file_or_goes_beyond_it_is_told() {
    for (text, said) in [
        ("a: b", "it is no Compose file"),
        ("services: [", "--> compose.yaml:1:"),
        ("services: {a: {}}", "neither `image` nor `build`"),
        ("services: {a: [x]}", "is a list, not a mapping"),
        ("services: {a: {image: x, extends: b}}", "`extends` of Compose is not followed"),
        ("include: [b.yaml]\nservices: {}", "`include` of Compose is not followed"),
        ("services: {a: {image: 'x${NONE:?say it}'}}", "the variable `NONE` is needed: say it"),
        ("services: {a: {image: x, ports: [http]}}", "`http` is no port"),
        ("services: {a: {image: x, command: 'a \"b'}}", "a quote that is not closed"),
        ("services: {a: {build: 'https://x.org/y.git'}}", "something else than a folder"),
        ("services: {a: {image: [x]}}", "text is expected here, not a list"),
        ("services: {a: {image: x, env_file: missing}}", "cannot read the environment file"),
        ("services: {a: {image: x, healthcheck: {test: x, interval: soon}}}", "`soon` is no duration"),
    ] {
        let error = convert(text, &[]).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    let found = convert("services: {a: {image: x, profiles: [debug]}, b: {image: y}}", &[]).unwrap();
    assert_eq!(found.files.len(), 1);
    assert!(found.warnings[0].what.contains("it is of the profile `debug`"), "{:?}", found.warnings);
}
