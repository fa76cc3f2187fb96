//! Many changes at once.

use std::process::Command;

use devloop_model::Stage;

use super::app::App;

const FILES: usize = 10_000;

impl App {
    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "gc.auto=0"];
        let output = Command::new("git").args(identity).args(arguments).current_dir(self.context.path()).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn commit(&self, branch: &str, text: &str) {
        for number in 0..FILES {
            self.write(&format!("web/data/{}/{number}", number % 100), text);
        }
        self.write("web/www/index.html", text);
        self.git(&["checkout", "-q", "-b", branch]);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", text]);
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_takes_a_checkout_of_10_000_files_as_one_change() {
    let app = App::new();
    app.write(".gitignore", ".state\n");
    app.git(&["init", "-q"]);
    app.commit("one", "first");
    app.commit("two", "second");
    let mut session = app.dev(&[]);
    app.serves("second");
    app.git(&["checkout", "-q", "one"]);
    let pass = session.succeeds();
    assert_eq!((pass.saves(), pass.ran(Stage::Build).len(), pass.ran(Stage::Deploy).len()), (1, 1, 1));
    app.serves("first");
    session.leaves("INT");
}
