use livetape_catalog::Options;

use super::schedule::Due;
use super::*;
use crate::config::{Config, Period, TemplateSettings};
use crate::plans::Plans;

const NOW: i64 = 1_795_381_620_000;

fn at(seconds: i64) -> WallTime {
    WallTime::from_unix_millis(NOW + seconds * 1000)
}

fn stream(name: &str) -> StreamPath {
    StreamPath { app: "live".to_owned(), name: name.to_owned() }
}

fn request(name: &str) -> TaskRequest {
    TaskRequest {
        app: "live".to_owned(),
        stream: name.to_owned(),
        settings: TaskSettings::default(),
        start_at: None,
        stop_at: None,
        stop_after: None,
    }
}

struct World {
    plans: Plans,
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("livetape.db");
        Self { plans: opened(&path), path, _directory: directory }
    }

    fn restarted(self) -> Self {
        let Self { plans, path, _directory } = self;
        drop(plans);
        Self { plans: opened(&path), path, _directory }
    }

    async fn create(&self, request: TaskRequest, now: WallTime) -> Result<TaskId, PlanError> {
        self.plans.create_task(request, now).await
    }

    fn wanted(&self, name: &str) -> Vec<TaskId> {
        self.plans.wanted(&stream(name)).into_iter().map(|wanted| wanted.task).collect()
    }
}

fn opened(path: &std::path::Path) -> Plans {
    configured(path, &Config::default())
}

fn configured(path: &std::path::Path, config: &Config) -> Plans {
    let catalog = Catalog::open(path, Options::default()).unwrap();
    Plans::open(config, &catalog, &Live::default()).unwrap()
}

#[tokio::test]
async fn a_task_whose_template_is_gone_from_the_configuration_records_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let formats = vec![crate::config::FormatName(livetape_media::Format::Hls)];
    let template = TemplateSettings { name: "t".to_owned(), formats, ..TemplateSettings::default() };
    let with_it = configured(&path, &Config { templates: vec![template], ..Config::default() });
    let by = TaskSettings { template: "t".to_owned(), ..TaskSettings::default() };
    with_it.create_task(TaskRequest { settings: by, ..request("cam") }, at(0)).await.unwrap();
    let format = |plans: &Plans| plans.wanted(&stream("cam"))[0].policies[0].format.name();
    assert_eq!(format(&with_it), "hls");
    drop(with_it);
    let without = opened(&path);
    without.tasks.due(at(0));
    assert_eq!(format(&without), "mp4");
}

fn named(error: &PlanError) -> Vec<&'static str> {
    match error {
        PlanError::Settings(problems) => problems.iter().map(|problem| problem.setting).collect(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_task_without_settings_is_an_mp4_of_two_hours_from_now_on() {
    let world = World::new();
    let before = world.plans.tasks.version();
    let id = world.create(request("cam"), at(0)).await.unwrap();
    assert!(world.plans.tasks.version() > before);
    let wanted = world.plans.wanted(&stream("cam"));
    let [Wanted { task, beside: false, policies }] = &wanted[..] else { panic!() };
    assert_eq!((*task, policies.len()), (id, 1));
    assert_eq!((policies[0].format.name(), policies[0].max_duration.as_secs()), ("mp4", 7200));
    assert!(world.wanted("other").is_empty());
    assert_eq!(world.plans.tasks.one(id).unwrap().state, TaskState::Waiting);
}

#[tokio::test]
async fn a_task_begins_and_ends_by_the_calendar_also_over_a_restart() {
    let world = World::new();
    let timed = |from, until| TaskRequest { start_at: Some(at(from)), stop_at: Some(at(until)), ..request("cam") };
    let first = world.create(timed(10, 20), at(0)).await.unwrap();
    let after = TaskRequest { stop_after: Some(Period::from_secs(5)), ..timed(15, 0) };
    let second = world.create(TaskRequest { stop_at: None, ..after }, at(0)).await.unwrap();
    let tasks = world.plans.tasks.clone();
    assert_eq!(tasks.one(first).unwrap().state, TaskState::Scheduled);
    assert_eq!(tasks.due(at(9)), Due { next: Some(at(10)), ..Due::default() });
    assert_eq!(world.wanted("cam"), []);
    let begun = Due { begin: vec![stream("cam")], end: vec![], next: Some(at(15)) };
    assert_eq!(tasks.due(at(10)), begun);
    assert_eq!((tasks.due(at(10)).begin.len(), world.wanted("cam")), (0, vec![first]));
    drop(tasks);
    let world = world.restarted();
    assert_eq!(world.plans.tasks.due(at(16)).begin.len(), 2);
    assert_eq!(world.wanted("cam"), [first, second]);
    let over = world.plans.tasks.due(at(20));
    assert_eq!((over.end, over.next), (vec![first, second], None));
    world.plans.tasks.stop(first, at(20), "due").await.unwrap();
    assert_eq!(world.wanted("cam"), [second]);
    let view = world.plans.tasks.one(first).unwrap();
    assert_eq!((view.state, view.end_reason.as_deref()), (TaskState::Ended, Some("due")));
}

#[tokio::test]
async fn a_task_is_paused_goes_on_and_is_stopped_once() {
    let world = World::new();
    let id = world.create(request("cam"), at(0)).await.unwrap();
    let tasks = world.plans.tasks.clone();
    tasks.pause(id, true).await.unwrap();
    assert!(world.wanted("cam").is_empty() && tasks.is_paused(&stream("cam"), id));
    assert_eq!(tasks.one(id).unwrap().state, TaskState::Paused);
    tasks.pause(id, false).await.unwrap();
    assert_eq!(world.wanted("cam"), [id]);
    assert_eq!(tasks.numbered("cam", id.number()), Some(id));
    tasks.stop(id, at(1), "stopped").await.unwrap();
    tasks.stop(id, at(2), "stopped").await.unwrap();
    assert!(matches!(tasks.pause(id, true).await, Err(PlanError::Over(_))));
    tasks.remove(id, at(3)).await.unwrap();
    for result in [tasks.remove(id, at(3)).await, tasks.pause(id, true).await, tasks.one(id).map(drop)] {
        assert!(matches!(result, Err(PlanError::UnknownTask(_))), "{result:?}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_every_reason() {
    let world = World::new();
    let refused = async |request| named(&world.create(request, at(0)).await.unwrap_err());
    assert_eq!(refused(TaskRequest { app: String::new(), ..request("a\n") }).await, ["app", "stream"]);
    let backwards = TaskRequest { start_at: Some(at(10)), stop_at: Some(at(10)), ..request("cam") };
    assert_eq!(refused(backwards).await, ["stop_at"]);
    assert_eq!(refused(TaskRequest { stop_at: Some(at(-1)), ..request("cam") }).await, ["stop_at"]);
    assert_eq!(refused(TaskRequest { start_at: Some(at(400 * 86_400)), ..request("cam") }).await, ["start_at"]);
    let both = TaskRequest { stop_at: Some(at(9)), stop_after: Some(Period::from_secs(9)), ..request("cam") };
    assert_eq!(refused(both).await, ["stop_after"]);
    let short = TemplateSettings { mp4_max_duration: Some(Period::from_secs(1)), ..TemplateSettings::default() };
    let inline = TaskSettings { recording: short.clone(), ..TaskSettings::default() };
    assert_eq!(refused(TaskRequest { settings: inline, ..request("cam") }).await, ["recording"]);
    let gone = TaskSettings { template: "gone".to_owned(), ..TaskSettings::default() };
    assert_eq!(refused(TaskRequest { settings: gone, ..request("cam") }).await, ["template"]);
    let both = TaskSettings { template: "default".to_owned(), recording: short, ..TaskSettings::default() };
    assert_eq!(refused(TaskRequest { settings: both, ..request("cam") }).await, ["recording"]);
    for _ in 0..MOST_OF_STREAM {
        world.create(request("cam"), at(0)).await.unwrap();
    }
    assert!(matches!(world.create(request("cam"), at(0)).await, Err(PlanError::TooMany(_))));
    assert!(world.create(request("other"), at(0)).await.is_ok());
}

#[tokio::test]
async fn a_template_is_changed_and_removed_when_nothing_needs_it_and_the_configurations_never() {
    let world = World::new();
    let plans = &world.plans;
    let settings = |size| TemplateSettings { max_size: Some(size), ..TemplateSettings::default() };
    let size = crate::config::ByteSize::from_mib;
    assert!(plans.set_template("small", settings(size(2))).await.unwrap());
    assert!(!plans.set_template("small", settings(size(3))).await.unwrap());
    let by = TaskSettings { template: "small".to_owned(), ..TaskSettings::default() };
    let id = world.create(TaskRequest { settings: by, ..request("cam") }, at(0)).await.unwrap();
    assert_eq!(plans.wanted(&stream("cam"))[0].policies[0].max_bytes, Some(3 << 20));
    let needed = plans.remove_template("small").await.unwrap_err().to_string();
    assert!(needed.contains(&id.to_string()), "{needed}");
    plans.tasks.stop(id, at(1), "stopped").await.unwrap();
    plans.remove_template("small").await.unwrap();
    assert!(matches!(plans.remove_template("small").await, Err(PlanError::UnknownTemplate(_))));
    for error in [
        plans.remove_template("default").await.unwrap_err(),
        plans.set_template("default", settings(size(2))).await.unwrap_err(),
    ] {
        assert!(matches!(error, PlanError::Configured { .. }), "{error}");
    }
    assert!(plans.template("default").unwrap().configured);
}
