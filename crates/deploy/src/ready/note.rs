//! What events add to the status of a pod: volumes, probes, sandboxes, and nodes that are on their way.

use std::collections::HashMap;

use serde_json::Value;

use super::fault::Cause;
use super::fault::Fault;
use super::fault::Weight;
use super::pod::PodView;

/// How many pods' notes are kept; a namespace keeps events of an hour, most of them about others.
const MOST: usize = 4096;

/// The last telling event of each pod.
#[derive(Debug, Default)]
pub(super) struct Notes(HashMap<String, Note>);

#[derive(Debug, Clone, Default)]
struct Note {
    setup: Option<(Cause, String)>,
    probe: Option<String>,
    node_is_coming: bool,
}

impl Notes {
    /// Takes in an event.
    pub(super) fn take(&mut self, event: &Value) {
        let about = &event["involvedObject"];
        let (Some(uid), Some(reason)) = (about["uid"].as_str().filter(|_| about["kind"] == "Pod"), event["reason"].as_str()) else {
            return;
        };
        let message = event["message"].as_str().unwrap_or_default().to_owned();
        if self.0.len() >= MOST {
            self.0.clear();
        }
        match reason {
            "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => {
                self.0.entry(uid.to_owned()).or_default().setup = Some((Cause::Volume, message));
            }
            "FailedCreatePodSandBox" => self.0.entry(uid.to_owned()).or_default().setup = Some((Cause::Sandbox, message)),
            "Unhealthy" | "ProbeError" => self.0.entry(uid.to_owned()).or_default().probe = Some(message),
            "TriggeredScaleUp" | "Nominated" => self.0.entry(uid.to_owned()).or_default().node_is_coming = true,
            _ => {}
        }
    }

    /// Returns the fault of a pod, with what its events add.
    pub(super) fn fault(&self, uid: &str, pod: &PodView) -> Option<Fault> {
        let note = self.0.get(uid).filter(|_| !pod.settled).cloned().unwrap_or_default();
        let noted = |cause, weight, message| Fault { cause, weight, container: None, message, restarted: false };
        match (&pod.fault, note.setup, note.probe) {
            (Some(fault), ..) if fault.cause == Cause::Unschedulable && note.node_is_coming => {
                Some(Fault { weight: Weight::Passing, ..fault.clone() })
            }
            // A liveness probe ends the container; what it said is why.
            (Some(fault), _, Some(probe)) if matches!(fault.cause, Cause::Crash { code: 137 | 143 | 0 }) => {
                Some(Fault { message: probe, ..fault.clone() })
            }
            (Some(fault), ..) => Some(fault.clone()),
            (None, Some((cause, message)), _) if pod.creating => Some(noted(cause, Weight::Doubtful, message)),
            (None, _, Some(probe)) if !pod.creating => Some(noted(Cause::Probe, Weight::Passing, probe)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> PodView {
        PodView::of(&json!({"metadata": {"name": "a", "uid": "u"}, "status": status})).unwrap()
    }

    #[test]
    fn events_explain_what_a_status_does_not() {
        let creating = json!({"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]});
        let running = json!({"containerStatuses": [{"name": "c", "ready": false, "state": {"running": {}}}]});
        let killed = json!({"containerStatuses": [{"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 137}}}]});
        let homeless = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "m"}]});
        for (status, reason, expected) in [
            (&creating, "FailedMount", Some((Cause::Volume, Weight::Doubtful, "said"))),
            (&running, "FailedMount", None),
            (&running, "Unhealthy", Some((Cause::Probe, Weight::Passing, "said"))),
            (&creating, "Unhealthy", None),
            (&killed, "Unhealthy", Some((Cause::Crash { code: 137 }, Weight::Hopeless, "said"))),
            (&homeless, "TriggeredScaleUp", Some((Cause::Unschedulable, Weight::Passing, "m"))),
            (&homeless, "Scheduled", Some((Cause::Unschedulable, Weight::Doubtful, "m"))),
        ] {
            let mut notes = Notes::default();
            notes.take(&json!({"involvedObject": {"kind": "Pod", "uid": "u"}, "reason": reason, "message": "said"}));
            let found = notes.fault("u", &pod(status));
            assert_eq!(found.as_ref().map(|f| (f.cause.clone(), f.weight, f.message.as_str())), expected, "{reason} {status}");
        }
    }
}
