//! The program that puts synced files into their places in a container, and the protocol that it speaks.
//!
//! It is one static program without dependencies, so that it runs in a container that has nothing else, not even a shell.

pub mod batch;
pub mod protocol;
pub mod root;
pub mod target;

use std::io;
use std::io::Read;
use std::io::Write;

use batch::Batch;
use protocol::HELLO;
use protocol::Request;
use root::Root;

/// Serves requests below `root` until the input ends.
///
/// # Errors
/// When the input breaks off or is not the protocol, or nobody reads the output.
pub fn serve(root: &Root, input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    output.write_all(HELLO)?;
    output.flush()?;
    let mut batch = Batch::new(root);
    while let Some(request) = Request::read(input)? {
        if request == Request::End {
            let failures = std::mem::replace(&mut batch, Batch::new(root)).end();
            output.write_all(&protocol::encode_failures(&failures))?;
            output.flush()?;
        } else {
            batch.take(request, input)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
