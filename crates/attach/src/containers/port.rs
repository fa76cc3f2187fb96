//! A port of a container on this machine: the daemon listens there, and what answers is told once.

use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_model::ForwardSource;
use devloop_model::ForwardState;
use devloop_model::PublishedPort;
use devloop_model::ReleasedContainer;

use crate::forward::probe;
use crate::forward::probe::Answer;
use crate::forward::scheme::Scheme;

/// A published port.
#[derive(Debug, Default)]
pub(super) struct Port {
    /// The container behind it.
    id: String,
    name: String,
    published: Option<PublishedPort>,
    said: Option<ForwardState>,
    answered: bool,
}

impl Port {
    /// Takes in the container that is behind it now; returns whether it is to be asked what it speaks.
    pub(super) fn serves(&mut self, source: &ForwardSource, container: &ReleasedContainer, published: &PublishedPort, cx: &Cx) -> bool {
        let is_same = self.id == container.id && self.published.as_ref() == Some(published);
        if is_same {
            return false;
        }
        let has_moved = self.published.as_ref().is_some_and(|before| before != published);
        (self.id, self.name, self.published) = (container.id.clone(), container.name.clone(), Some(published.clone()));
        if has_moved {
            (self.said, self.answered) = (None, false);
        }
        self.back(source, cx)
    }

    /// Returns whether it is a port of this container.
    pub(super) fn is_of(&self, id: &str) -> bool {
        self.id == id
    }

    /// Takes in that its container runs; returns whether it is to be asked what it speaks.
    pub(super) fn back(&mut self, source: &ForwardSource, cx: &Cx) -> bool {
        self.say(source, ForwardState::Ready { pod: self.name.clone() }, cx);
        !self.answered
    }

    /// Takes in that its container ended.
    pub(super) fn away(&mut self, source: &ForwardSource, cx: &Cx) {
        let why = format!("container/{} does not run", self.name);
        self.say(source, ForwardState::Waiting { why }, cx);
    }

    /// Says that it is over.
    pub(super) fn closed(mut self, source: &ForwardSource, cx: &Cx) {
        self.say(source, ForwardState::Closed, cx);
    }

    /// Returns what asks it whether it speaks HTTP, and gives the address of what does.
    pub(super) fn question(&self, source: ForwardSource) -> impl Future<Output = Option<(ForwardSource, String)>> + Send + use<> {
        let answer = self.published.as_ref().map(|published| {
            let scheme = Scheme::of("", "", published.port);
            probe::answers(&published.address, published.local_port, scheme)
        });
        async move {
            match answer?.await {
                Answer::Url(url) => Some((source, url)),
                Answer::Other | Answer::None => None,
            }
        }
    }

    /// Takes in the address that answered.
    pub(super) fn answered(&mut self, source: ForwardSource, url: String, cx: &Cx) {
        if !std::mem::replace(&mut self.answered, true) {
            cx.emit(EventKind::UrlAnswered { source, url });
        }
    }

    fn say(&mut self, source: &ForwardSource, state: ForwardState, cx: &Cx) {
        let Some(published) = self.published.as_ref().filter(|_| self.said.as_ref() != Some(&state)) else { return };
        cx.emit(EventKind::PortForwarded {
            source: source.clone(),
            address: published.address.clone(),
            local_port: published.local_port,
            remote_port: Some(published.port),
            state: state.clone(),
        });
        self.said = Some(state);
    }
}
