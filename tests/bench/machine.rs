//! What the kernel says of processes and of the machine, and which cores a process may use.

use std::{fs, num::NonZero, thread};

use rustix::thread::{CpuSet, sched_setaffinity};

/// Ticks of `/proc/PID/stat` in a second; Linux shows every architecture the same number.
const TICKS: f64 = 100.0;

/// Where the system under test runs, where it is alone.
pub const TESTED: &[usize] = &[0];
/// Where load is made.
pub const LOAD: &[usize] = &[1];

/// Lets this thread, and what it starts from here on, run on these cores alone; on all of them
/// where there are fewer than two.
pub fn pin(cores: &[usize]) {
    let mut set = CpuSet::new();
    let all: Vec<usize> = (0..cores_of_machine()).collect();
    for core in if all.len() < 2 { &all } else { cores } {
        set.set(*core);
    }
    sched_setaffinity(None, &set).expect("cores of this machine");
}

/// Lets this thread run everywhere again.
pub fn unpin() {
    let all: Vec<usize> = (0..CORES_AT_MOST.min(CpuSet::MAX_CPU)).collect();
    let mut set = CpuSet::new();
    for core in all {
        set.set(core);
    }
    // The kernel takes from it the cores that there are.
    sched_setaffinity(None, &set).expect("cores of this machine");
}

const CORES_AT_MOST: usize = 1_024;

fn cores_of_machine() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// User and system time that a process has used until now, in seconds.
pub fn cpu_seconds(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("a running process");
    let (_, after_name) = stat.rsplit_once(')').expect("a name in brackets");
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|text| text.parse::<f64>().ok()).expect("a number");
    (ticks() + ticks()) / TICKS
}

/// Resident memory of a process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// In this moment, MiB.
    pub resident: f64,
    /// At most since it started, MiB.
    pub peak: f64,
}

/// Resident memory of a process.
pub fn memory(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a running process");
    let size = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a size");
        let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        kib.parse::<f64>().expect("a number") / 1024.0
    };
    Memory { resident: size("VmRSS"), peak: size("VmHWM") }
}

/// Cores, processor, memory and kernel, without any name that would tell which machine it is.
pub fn description() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of_cpu = |key: &str| {
        let line = cpu.lines().find(|line| line.starts_with(key));
        line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    let processor = of_cpu("model name").unwrap_or_else(|| "an unknown processor".to_owned());
    let is_virtual = of_cpu("flags").is_some_and(|flags| flags.contains("hypervisor"));
    let kind = if is_virtual { "virtual" } else { "bare" };
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().and_then(|line| line.split_ascii_whitespace().nth(1));
    let gib = memory.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1_048_576.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split(['-', '+']).next().unwrap_or_default().trim().to_owned();
    format!("{} cores ({kind}), {processor}, {gib:.0} GiB, Linux {kernel}", cores_of_machine())
}

/// How many processes ran or wanted to, on average over the last minute.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("?").to_owned()
}
