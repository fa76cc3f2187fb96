use devloop_model::EventKind;
use devloop_model::Namespace;

use super::ring::Limits;
use super::*;
use crate::console::sample::event;
use crate::console::sample::log_line;

const SMALL: [Limits; KINDS] = [Limits { entries: 3, bytes: 1 << 20 }; KINDS];

fn pod_line(seq: u64, line: &str) -> Event {
    let (namespace, pod, container) = (Namespace("default".into()), "web-1".into(), "app".into());
    event(seq, EventKind::PodLog { namespace, pod, container, artifact: None, line: line.into() })
}

fn pushed(limits: [Limits; KINDS], events: &[Event]) -> Arc<Replay> {
    let replay = Arc::new(Replay::new(limits));
    for event in events {
        replay.push(event);
    }
    replay
}

fn seqs(batch: &Batch) -> Vec<u64> {
    batch.entries.iter().map(Entry::seq).collect()
}

#[test]
fn a_reader_gets_what_is_kept_in_order_and_how_much_is_gone() {
    let mut events: Vec<Event> = (1..=10).map(|seq| pod_line(seq, "x")).collect();
    events[0] = event(1, EventKind::TaggingStarted);
    events[4] = event(5, EventKind::CacheCheckStarted);
    events[5] = log_line(6, "building");
    let replay = pushed(SMALL, &events);
    let mut reader = replay.read_after(0);
    let batch = reader.take();
    assert_eq!((batch.missed, seqs(&batch)), (4, vec![1, 5, 6, 8, 9, 10]));
    assert!(reader.take().is_empty());
    let later = replay.read_after(5).take();
    assert_eq!((later.missed, seqs(&later)), (1, vec![6, 8, 9, 10]), "7 is gone");
    assert_eq!(replay.read_after(99).take().missed, 0);
}

#[test]
fn a_reader_that_falls_behind_is_told() {
    let replay = pushed(SMALL, &[pod_line(1, "x")]);
    let mut reader = replay.read_after(0);
    assert_eq!(seqs(&reader.take()), [1]);
    (2..=9).for_each(|seq| replay.push(&pod_line(seq, "x")));
    let batch = reader.take();
    assert_eq!((batch.missed, seqs(&batch)), (5, vec![7, 8, 9]));
}

#[test]
fn what_is_kept_is_bounded_in_bytes() {
    let limits = [Limits { entries: 1000, bytes: 100_000 }; KINDS];
    let line = "x".repeat(10_000);
    let replay = pushed(limits, &(1..=100).map(|seq| pod_line(seq, &line)).collect::<Vec<_>>());
    let kept = replay.kept();
    let ring = &kept.rings[Kind::PodLine as usize];
    assert!(
        ring.bytes <= 100_000 && (5..10).contains(&ring.entries().count()),
        "{} bytes in {} entries",
        ring.bytes,
        ring.entries().count()
    );
    assert_eq!(ring.first as usize + ring.entries().count(), 100);
}

#[test]
fn one_entry_larger_than_all_is_still_kept() {
    let limits = [Limits { entries: 10, bytes: 10 }; KINDS];
    assert_eq!(seqs(&pushed(limits, &[pod_line(1, "a"), pod_line(2, "b")]).read_after(0).take()), [2]);
}

#[test]
fn facts_that_are_gone_are_still_known() {
    let started = EventKind::SessionStarted { version: "1".into(), command: "dev".into() };
    let mut events = vec![event(1, started)];
    events.extend((2..=6).map(|seq| event(seq, EventKind::TaggingStarted)));
    let replay = pushed(SMALL, &events);
    let batch = replay.read(&[Kind::Fact]).take();
    assert_eq!((batch.missed, batch.base.unwrap().command.as_str()), (3, "dev"));
    assert_eq!(replay.now().command, "dev");
}

#[tokio::test]
async fn a_reader_waits_for_the_next_entry() {
    let replay = pushed(SMALL, &[]);
    let mut reader = replay.read_after(0);
    assert!(reader.take().is_empty());
    replay.push(&pod_line(1, "x"));
    reader.changed().await;
    assert_eq!(seqs(&reader.take()), [1]);
}
