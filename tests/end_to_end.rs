//! End to end: the real binaries among real peers. A module for each promise.

#[path = "end_to_end/addresses.rs"]
mod addresses;
#[path = "end_to_end/ahead.rs"]
mod ahead;
#[path = "end_to_end/alarms.rs"]
mod alarms;
#[path = "end_to_end/anchors.rs"]
mod anchors;
#[path = "end_to_end/backlog.rs"]
mod backlog;
#[path = "end_to_end/bad_input.rs"]
mod bad_input;
#[path = "end_to_end/clock.rs"]
mod clock;
#[path = "end_to_end/commands.rs"]
mod commands;
#[path = "end_to_end/demo.rs"]
mod demo;
#[path = "end_to_end/embedded.rs"]
mod embedded;
#[path = "end_to_end/every_point.rs"]
mod every_point;
#[path = "end_to_end/full_disk.rs"]
mod full_disk;
#[path = "end_to_end/gateway.rs"]
mod gateway;
#[path = "end_to_end/live.rs"]
mod live;
#[path = "end_to_end/nothing_lost.rs"]
mod nothing_lost;
#[path = "end_to_end/order.rs"]
mod order;
#[path = "end_to_end/outage.rs"]
mod outage;
#[path = "end_to_end/read_only.rs"]
mod read_only;
#[path = "end_to_end/restore.rs"]
mod restore;
#[path = "end_to_end/verdicts.rs"]
mod verdicts;
#[path = "end_to_end/watched.rs"]
mod watched;
#[path = "end_to_end/way.rs"]
mod way;
