//! A terminal whose keys arrive one by one, and that is given back as it was.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;

use nix::errno::Errno;
use nix::sys::termios;
use nix::sys::termios::LocalFlags;
use nix::sys::termios::SetArg;
use nix::sys::termios::SpecialCharacterIndices;
use nix::sys::termios::Termios;
use nix::unistd;

/// All terminals that may have to be given back when the process ends in the middle of something.
static TERMINALS: Mutex<Vec<Weak<Terminal>>> = Mutex::new(Vec::new());

/// Gives every terminal back as it was: for an end of the process that drops nothing.
pub fn restore_terminal() {
    let terminals = TERMINALS.lock().unwrap_or_else(PoisonError::into_inner);
    terminals.iter().filter_map(Weak::upgrade).for_each(|terminal| terminal.restore());
}

/// Remembers a terminal for [`restore_terminal`].
pub(crate) fn remember(terminal: Weak<Terminal>) {
    let mut terminals = TERMINALS.lock().unwrap_or_else(PoisonError::into_inner);
    terminals.retain(|known| known.strong_count() > 0);
    terminals.push(terminal);
}

/// A terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    fd: OwnedFd,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How it was, while it is different.
    before: Option<Termios>,
    /// Whether keys are wanted.
    open: bool,
}

/// Whether keys may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// They are ours.
    Fore,
    /// They are another program's: reading one would stop us.
    Back,
}

impl Terminal {
    /// Returns the terminal that `fd` is.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self { fd: fd.try_clone_to_owned()?, state: Mutex::new(State { before: None, open: true }) })
    }

    /// Returns whether we are in the foreground; a terminal that is not the one that controls us has no such thing.
    pub(crate) fn ground(&self) -> Ground {
        match unistd::tcgetpgrp(&self.fd) {
            Ok(group) if group != unistd::getpgrp() => Ground::Back,
            _ => Ground::Fore,
        }
    }

    /// Lets keys arrive one by one and unseen, if we are in the foreground; Ctrl-C stays a signal.
    pub(crate) fn take(&self) {
        let mut state = self.state();
        if !state.open || self.ground() == Ground::Back {
            return;
        }
        let Ok(now) = termios::tcgetattr(&self.fd) else { return };
        let mut wanted = now.clone();
        wanted.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        wanted.local_flags.insert(LocalFlags::ISIG);
        wanted.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        wanted.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        if termios::tcsetattr(&self.fd, SetArg::TCSANOW, &wanted).is_ok() {
            state.before.get_or_insert(now);
        }
    }

    /// Makes it as it was.
    pub(crate) fn restore(&self) {
        let before = self.state().before.take();
        if let Some(before) = before.filter(|_| self.ground() == Ground::Fore) {
            set(&self.fd, &before);
        }
    }

    /// Makes it as it was, for good.
    pub(crate) fn close(&self) {
        self.state().open = false;
        self.restore();
    }

    /// Reads what was pressed; nothing if another program took it, or it is another program's to take.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match unistd::read(&self.fd, buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(0),
            // Where the signal that would stop us is held back, this is how reading in the background ends.
            Err(Errno::EIO) if self.ground() == Ground::Back => Ok(0),
            read => Ok(read?),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

fn set(fd: &OwnedFd, attributes: &Termios) {
    if let Err(error) = termios::tcsetattr(fd, SetArg::TCSANOW, attributes) {
        tracing::debug!(%error, "the terminal cannot be given back");
    }
}
