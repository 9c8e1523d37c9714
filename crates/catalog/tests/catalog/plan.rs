//! Templates, rules and tasks: made, changed, and found again after anything.

use livetape_catalog::{Applied, CatalogError, Change, NewRecording, PlanKind, TaskFilter, TaskRow, rebuild};
use livetape_record::TaskId;
use uuid::Uuid;

use crate::fixture::{Fixture, at, recording, session};

fn set(kind: PlanKind, name: &str, settings: &str) -> Change {
    Change::PlanSet { kind, name: name.to_owned(), settings: settings.to_owned() }
}

fn removed(kind: PlanKind, name: &str) -> Change {
    Change::PlanRemoved { kind, name: name.to_owned() }
}

fn names(fixture: &Fixture, kind: PlanKind) -> Vec<(String, String)> {
    fixture.catalog.stored_plan(kind).unwrap().into_iter().map(|entry| (entry.name, entry.settings)).collect()
}

fn id(number: u128) -> TaskId {
    TaskId(Uuid::from_u128(0x0192_f0c1_0000_7000_8000_0000_0000_0000 + number))
}

fn task(number: u128) -> TaskRow {
    TaskRow {
        id: id(number),
        app: "live".to_owned(),
        stream: format!("s{number}"),
        settings: "{}".to_owned(),
        created_at: at(i64::try_from(number).unwrap()),
        start_at: at(60),
        stop_at: Some(at(120)),
        paused: false,
        ended_at: None,
        end_reason: None,
    }
}

fn ended(number: u128) -> Change {
    Change::TaskEnded { id: id(number), at: at(90), reason: "stopped".to_owned() }
}

#[test]
fn templates_and_rules_are_kept_by_name_until_they_are_removed() {
    use PlanKind::{Rule, Template};
    let fixture = Fixture::new();
    fixture.done(set(Template, "b", "{1}"));
    fixture.done(set(Template, "a", "{2}"));
    fixture.done(set(Rule, "a", "{3}"));
    assert_eq!(fixture.apply(set(Template, "a", "{2}")).unwrap(), Applied::Already);
    fixture.done(set(Template, "b", "{4}"));
    fixture.done(removed(Template, "a"));
    assert_eq!(fixture.apply(removed(Template, "a")).unwrap(), Applied::Already);
    assert_eq!(fixture.apply(removed(Rule, "b")).unwrap(), Applied::Already);
    let fixture = fixture.reopened(&[]);
    assert_eq!(names(&fixture, Template), [("b".to_owned(), "{4}".to_owned())]);
    assert_eq!(names(&fixture, Rule), [("a".to_owned(), "{3}".to_owned())]);
    fixture.done(set(Template, "a", "{5}"));
    assert_eq!(names(&fixture, Template).len(), 2);
}

#[test]
fn a_task_is_paused_and_ended_and_removed_and_nothing_else() {
    let fixture = Fixture::new();
    fixture.done(Change::TaskCreated(task(1)));
    assert_eq!(fixture.apply(Change::TaskCreated(task(1))).unwrap(), Applied::Already);
    let other = TaskRow { stream: "other".to_owned(), ..task(1) };
    assert!(matches!(fixture.apply(Change::TaskCreated(other)), Err(CatalogError::Conflict { .. })));
    let pause = |paused| Change::TaskPaused { id: id(1), paused };
    fixture.done(pause(true));
    assert_eq!(fixture.apply(pause(true)).unwrap(), Applied::Already);
    let fixture = fixture.reopened(&[]);
    assert_eq!(fixture.catalog.open_tasks().unwrap(), [TaskRow { paused: true, ..task(1) }]);
    fixture.done(pause(false));
    assert_eq!(fixture.catalog.task(id(1)).unwrap(), Some(task(1)));
    assert!(matches!(fixture.apply(Change::TaskRemoved { id: id(1) }), Err(CatalogError::Conflict { .. })));
    fixture.done(ended(1));
    assert_eq!(fixture.apply(ended(1)).unwrap(), Applied::Already);
    assert!(matches!(fixture.apply(pause(true)), Err(CatalogError::Conflict { .. })));
    let over = fixture.catalog.task(id(1)).unwrap().unwrap();
    assert_eq!((over.ended_at, over.end_reason.as_deref()), (Some(at(90)), Some("stopped")));
    assert!(fixture.catalog.open_tasks().unwrap().is_empty());
    fixture.done(Change::TaskRemoved { id: id(1) });
    assert_eq!(fixture.apply(Change::TaskRemoved { id: id(1) }).unwrap(), Applied::Already);
    assert_eq!(fixture.catalog.task(id(1)).unwrap(), None);
    for change in [pause(true), ended(1), ended(2)] {
        assert!(matches!(fixture.apply(change), Err(CatalogError::UnknownTask(_))));
    }
}

#[test]
fn tasks_are_listed_in_pages_and_forgotten_after_ninety_days() {
    let fixture = Fixture::new();
    (1..=5).for_each(|number| fixture.done(Change::TaskCreated(task(number))));
    fixture.done(ended(2));
    let streams = |filter: TaskFilter| {
        let page = fixture.catalog.tasks(&filter).unwrap();
        let items: Vec<String> = page.items.into_iter().map(|task| task.stream).collect();
        (items, page.next_cursor)
    };
    let (first, cursor) = streams(TaskFilter { limit: 3, ..TaskFilter::default() });
    assert_eq!(first, ["s5", "s4", "s3"]);
    fixture.done(Change::TaskCreated(task(6)));
    assert_eq!(
        streams(TaskFilter { limit: 3, cursor, ..TaskFilter::default() }),
        (vec!["s2".into(), "s1".into()], None)
    );
    assert_eq!(streams(TaskFilter { limit: 9, ended: Some(true), ..TaskFilter::default() }).0, ["s2"]);
    assert_eq!(streams(TaskFilter { limit: 9, ended: Some(false), ..TaskFilter::default() }).0.len(), 5);
    assert_eq!(streams(TaskFilter { limit: 9, stream: Some("s4".into()), ..TaskFilter::default() }).0, ["s4"]);
    assert_eq!(streams(TaskFilter { limit: 9, app: Some("x".into()), ..TaskFilter::default() }).0, [""; 0]);
    let bad = TaskFilter { cursor: Some("1.x".into()), limit: 1, ..TaskFilter::default() };
    assert!(matches!(fixture.catalog.tasks(&bad), Err(CatalogError::Cursor(_))));

    let late = TaskRow { created_at: at(90 + 90 * 24 * 3600 + 1), ..task(7) };
    fixture.done(Change::TaskCreated(late));
    assert_eq!(fixture.catalog.task(id(2)).unwrap(), None);
    assert!(fixture.catalog.task(id(1)).unwrap().is_some(), "it is not over");
}

#[test]
fn a_recording_says_which_task_it_is_for_in_its_row_and_its_events() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(NewRecording { task: Some(id(9)), ..recording(1) }));
    let view = fixture.catalog.recording(&recording(1).id).unwrap().unwrap();
    assert_eq!(view.task_id, Some(id(9)));
    let body: serde_json::Value = serde_json::from_str(&fixture.events()[1].body).unwrap();
    assert_eq!(body["data"]["task_id"], id(9).to_string());
}

#[test]
fn a_rebuilt_catalog_has_what_was_there_and_not_what_was_removed() {
    let fixture = Fixture::new();
    fixture.done(set(PlanKind::Template, "a", "{1}"));
    fixture.done(set(PlanKind::Template, "gone", "{2}"));
    fixture.done(set(PlanKind::Rule, "r", "{3}"));
    fixture.done(removed(PlanKind::Template, "gone"));
    (1..=3).for_each(|number| fixture.done(Change::TaskCreated(task(number))));
    fixture.done(ended(2));
    fixture.done(ended(3));
    fixture.done(Change::TaskRemoved { id: id(3) });
    let fixture = fixture.reopened_after(|path| drop(rebuild(path).unwrap()));
    assert_eq!(names(&fixture, PlanKind::Template), [("a".to_owned(), "{1}".to_owned())]);
    assert_eq!(names(&fixture, PlanKind::Rule).len(), 1);
    assert_eq!(fixture.catalog.open_tasks().unwrap(), [task(1)]);
    assert!(fixture.catalog.task(id(2)).unwrap().unwrap().ended_at.is_some());
    assert_eq!(fixture.catalog.task(id(3)).unwrap(), None);
}
