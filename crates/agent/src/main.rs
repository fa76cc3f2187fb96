//! `agent`: serves the container that it runs in. `agent target NAME`: serves the container NAME, whose processes it shares.
//! `agent stay`: as `agent`, but leaves its file where it is.
//! `agent wait`: does nothing, so that a container with nothing else in it goes on.

use std::env;
use std::fs;
use std::io;
use std::io::BufReader;
use std::io::Write as _;
use std::process::ExitCode;

use devloop_agent::root::Root;
use devloop_agent::serve;
use devloop_agent::target;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let root = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["wait"] => loop {
            std::thread::park();
        },
        ["target", name] => {
            let root = target::root_of(name);
            // Whether the kernel lets us in: it compares users and capabilities.
            if let Err(error) = fs::read_dir(&root) {
                drop(writeln!(io::stderr(), "{}: {error}", root.display()));
                return ExitCode::FAILURE;
            }
            root
        }
        ["stay"] => "/".into(),
        _ => {
            // What runs needs no name any more, and so leaves nothing behind in the container.
            drop(env::current_exe().and_then(fs::remove_file));
            "/".into()
        }
    };
    match serve(&Root::new(root), &mut BufReader::with_capacity(1 << 16, io::stdin().lock()), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
