//! Keys that are pressed in the terminal.

mod decode;
mod terminal;

use std::io;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use devloop_model::Key;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::poll::poll;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signal::raise;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::channel;

use decode::Decoder;
use terminal::Ground;
use terminal::Terminal;

pub use terminal::restore_terminal;

/// Keys that nobody takes; more of them are thrown away.
const WAITING: usize = 64;

/// How long after an escape the rest of a sequence comes: terminals send it at once, networks do not.
const SEQUENCE_MILLISECONDS: u16 = 50;

/// How often we see whether we are in the foreground again, which nothing tells.
const BACKGROUND_MILLISECONDS: u16 = 1000;

/// Reads keys until it is dropped, and gives the terminal back then.
#[derive(Debug)]
pub struct Keys {
    terminal: Arc<Terminal>,
    /// The reader ends when this is closed.
    wake: Option<OwnedFd>,
    reader: Option<JoinHandle<()>>,
}

impl Keys {
    /// Returns the keys that are pressed in the terminal that is our standard input; nothing if it is none.
    ///
    /// No more keys come when the terminal is closed. While we are in the background, or stopped, the terminal is as it was.
    /// It must be called in a runtime, which Ctrl-Z is noticed by.
    ///
    /// # Errors
    /// When the system gives no thread, pipe or signal handler.
    pub fn start() -> io::Result<Option<(Self, Receiver<Key>)>> {
        let stdin = io::stdin();
        if stdin.is_terminal() { Self::start_on(stdin.as_fd()).map(Some) } else { Ok(None) }
    }

    fn start_on(fd: BorrowedFd<'_>) -> io::Result<(Self, Receiver<Key>)> {
        let terminal = Arc::new(Terminal::new(fd)?);
        terminal::remember(Arc::downgrade(&terminal));
        follow_stops(&terminal)?;
        let (woken, wake) = io::pipe()?;
        let (keys, receiver) = channel(WAITING);
        let reader = Reader { terminal: Arc::clone(&terminal), woken: woken.into(), keys, decoder: Decoder::default() };
        let thread = std::thread::Builder::new().name("keys".to_owned());
        terminal.take();
        let reader = thread.spawn(move || reader.run())?;
        Ok((Self { terminal, wake: Some(wake.into()), reader: Some(reader) }, receiver))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.terminal.close();
        drop(self.wake.take());
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

/// Gives the terminal back before Ctrl-Z stops us, and takes it when we go on.
fn follow_stops(terminal: &Arc<Terminal>) -> io::Result<()> {
    let mut stop = signal(SignalKind::from_raw(Signal::SIGTSTP as i32))?;
    let mut go_on = signal(SignalKind::from_raw(Signal::SIGCONT as i32))?;
    let terminal = Arc::downgrade(terminal);
    // It goes on after the keys end: a signal that is handled once is not the system's any more.
    tokio::spawn(async move {
        let mut in_background = false;
        loop {
            let stops = tokio::select! {
                _ = stop.recv() => true,
                _ = go_on.recv() => false,
                () = tokio::time::sleep(Duration::from_millis(BACKGROUND_MILLISECONDS.into())), if in_background => false,
            };
            if stops {
                if let Some(terminal) = terminal.upgrade() {
                    terminal.restore();
                }
                raise(Signal::SIGSTOP).ok();
            }
            in_background =
                terminal.upgrade().inspect(|terminal| terminal.take()).is_some_and(|terminal| terminal.ground() == Ground::Back);
        }
    });
    Ok(())
}

/// What happened while the reader waited.
enum Awoken {
    /// There are keys, or the terminal is gone.
    Readable,
    /// Nothing.
    Timeout,
    /// The reader is to end.
    End,
}

struct Reader {
    terminal: Arc<Terminal>,
    woken: OwnedFd,
    keys: Sender<Key>,
    decoder: Decoder,
}

impl Reader {
    /// Reads until it is told to end or the terminal is gone.
    fn run(mut self) {
        // Reading in the background fails then, instead of stopping the program.
        let mut held_back = SigSet::empty();
        held_back.add(Signal::SIGTTIN);
        held_back.add(Signal::SIGTTOU);
        held_back.thread_block().ok();
        while self.turn() {}
    }

    /// Waits once and reads; returns whether to go on.
    fn turn(&mut self) -> bool {
        if self.terminal.ground() == Ground::Back {
            let ended = matches!(self.wait(false, BACKGROUND_MILLISECONDS.into()), Awoken::End);
            self.terminal.take();
            return !ended;
        }
        let timeout = if self.decoder.is_waiting() { SEQUENCE_MILLISECONDS.into() } else { PollTimeout::NONE };
        match self.wait(true, timeout) {
            Awoken::End => return false,
            Awoken::Timeout => {
                let keys = self.decoder.end();
                self.send(keys);
            }
            Awoken::Readable => {
                // Another program may have been in the foreground meanwhile, and left it otherwise.
                self.terminal.take();
                let mut buffer = [0; 256];
                let Ok(length) = self.terminal.read(&mut buffer) else { return false };
                let keys = self.decoder.push(&buffer[..length]);
                self.send(keys);
            }
        }
        true
    }

    fn wait(&self, for_keys: bool, timeout: PollTimeout) -> Awoken {
        let mut fds = vec![PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        if for_keys {
            fds.push(PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN));
        }
        let any = |fd: Option<&PollFd<'_>>| fd.and_then(PollFd::any).unwrap_or_default();
        match poll(&mut fds, timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => Awoken::Timeout,
            Ok(_) if !any(fds.first()) && any(fds.get(1)) => Awoken::Readable,
            _ => Awoken::End,
        }
    }

    fn send(&self, keys: Vec<Key>) {
        for key in keys {
            // A key that nobody has taken for so long means nothing any more.
            self.keys.try_send(key).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use nix::pty::openpty;
    use nix::sys::termios;
    use nix::sys::termios::LocalFlags;

    use super::*;

    async fn next(keys: &mut Receiver<Key>) -> Option<Key> {
        tokio::time::timeout(Duration::from_secs(30), keys.recv()).await.expect("no key came")
    }

    #[tokio::test]
    async fn keys_arrive_one_by_one_and_the_terminal_is_given_back() {
        let pty = openpty(None, None).unwrap();
        let flags = || termios::tcgetattr(&pty.slave).unwrap().local_flags;
        let before = flags();
        assert!(before.contains(LocalFlags::ICANON | LocalFlags::ECHO));
        let mut master = File::from(pty.master.try_clone().unwrap());
        let (reader, mut keys) = Keys::start_on(pty.slave.as_fd()).unwrap();
        assert!(!flags().intersects(LocalFlags::ICANON | LocalFlags::ECHO));
        assert!(flags().contains(LocalFlags::ISIG), "Ctrl-C stays a signal");
        for (bytes, key) in [("r", Key::Char('r')), ("ü", Key::Char('ü')), ("\r", Key::Enter), ("\x1b[A", Key::Up), ("\x1b", Key::Escape)]
        {
            master.write_all(bytes.as_bytes()).unwrap();
            assert_eq!(next(&mut keys).await, Some(key));
        }
        drop(reader);
        assert_eq!(flags(), before);
        assert_eq!(next(&mut keys).await, None);
    }

    #[tokio::test]
    async fn a_closed_terminal_ends_the_keys() {
        let pty = openpty(None, None).unwrap();
        let (_reader, mut keys) = Keys::start_on(pty.slave.as_fd()).unwrap();
        drop(pty.master);
        assert_eq!(next(&mut keys).await, None);
    }

    #[tokio::test]
    async fn keys_that_nobody_takes_do_not_stop_the_reader() {
        let pty = openpty(None, None).unwrap();
        let mut master = File::from(pty.master);
        let (reader, keys) = Keys::start_on(pty.slave.as_fd()).unwrap();
        master.write_all(&[b'x'; 1000]).unwrap();
        while keys.len() < WAITING {
            std::thread::yield_now();
        }
        drop(reader);
        assert_eq!(keys.len(), WAITING);
    }

    #[tokio::test]
    async fn an_end_of_the_process_gives_the_terminal_back() {
        let pty = openpty(None, None).unwrap();
        let before = termios::tcgetattr(&pty.slave).unwrap().local_flags;
        let (_reader, _keys) = Keys::start_on(pty.slave.as_fd()).unwrap();
        assert_ne!(termios::tcgetattr(&pty.slave).unwrap().local_flags, before);
        restore_terminal();
        assert_eq!(termios::tcgetattr(&pty.slave).unwrap().local_flags, before);
    }
}
