use super::*;
use crate::args::Switch;

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".skaffold")).unwrap();
        std::fs::write(home.path().join(".skaffold/config"), "global: {default-repo: theirs}\n").unwrap();
        Self(home)
    }

    fn run(&self, action: impl FnOnce(SettingArgs) -> ConfigAction, context: Option<&str>, global: bool) -> String {
        let home = self.0.path().display().to_string();
        // No kubeconfig is there, so that no context is the current one.
        let env = Env::new([("HOME".to_owned(), home.clone())].into());
        let place = SettingArgs { config: None, kube_context: context.map(str::to_owned), global: Switch(global) };
        run(&action(place), &env).unwrap_or_else(|faults| faults[0].to_string()).replace(&home, "~")
    }

    fn set(&self, name: &str, value: &str, context: Option<&str>) -> String {
        self.run(|place| ConfigAction::Set { name: name.to_owned(), value: value.to_owned(), place }, context, false)
    }

    fn unset(&self, name: &str) -> String {
        self.run(|place| ConfigAction::Unset { name: name.to_owned(), place }, None, true)
    }

    fn list(&self, all: bool, context: Option<&str>) -> String {
        self.run(|place| ConfigAction::List { all: Switch(all), place }, context, false)
    }

    fn own(&self) -> String {
        std::fs::read_to_string(self.0.path().join(".config/devloop/config")).unwrap_or_default()
    }
}

#[test]
fn our_file_is_written_and_skaffolds_is_read() {
    let machine = Machine::new();
    assert_eq!(machine.list(false, None), "skaffold config: ~/.skaffold/config\ndefault-repo: theirs\n");
    assert_eq!(machine.set("default-repo", "ours", None), "set global value default-repo to ours\n");
    assert_eq!(machine.set("local-cluster", "true", Some("kind")), "set value local-cluster to true for context kind\n");
    insta::assert_snapshot!(machine.own(), @"
    global:
      default-repo: ours
    kubeContexts:
    - kube-context: kind
      local-cluster: true
    ");
    insta::assert_snapshot!(machine.list(true, None), @"
    skaffold config: ~/.config/devloop/config, ~/.skaffold/config
    global:
      default-repo: ours
    kubeContexts:
    - kube-context: kind
      local-cluster: true
    ");
    assert_eq!(machine.list(false, Some("gke")), "No config found for current context \"gke\"\n");
    assert_eq!(machine.unset("default-repo"), "unset global value default-repo\n~/.skaffold/config still sets it\n");
    assert_eq!(std::fs::read_to_string(machine.0.path().join(".skaffold/config")).unwrap(), "global: {default-repo: theirs}\n");
    assert!(machine.set("default-rep", "x", None).contains("did you mean `default-repo`?"));
}
