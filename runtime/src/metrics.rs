//! What every process tells of itself: its version, memory, processor time and open files; and how
//! each part of it registers what it counts.

use prometheus::{
    Counter, Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::time::{ClockId, clock_gettime};

/// Registers `baseflow_build_info` and the usual `process_…` metrics.
pub fn register(registry: &Registry, version: &str) -> Result<(), Error> {
    let help = "1, labelled with the version of the binary";
    let build = IntGaugeVec::new(Opts::new("baseflow_build_info", help), &["version"])?;
    build.with_label_values(&[version]).set(1);
    registry.register(Box::new(build))?;
    registry.register(Box::new(Process::new()?))
}

/// Makes and registers what one part of a process counts, each metric named `baseflow_PART_NAME`.
#[derive(Debug, Clone, Copy)]
pub struct Subsystem<'a> {
    part: &'static str,
    registry: &'a Registry,
}

impl<'a> Subsystem<'a> {
    /// Nothing is registered yet.
    pub const fn new(part: &'static str, registry: &'a Registry) -> Self {
        Self { part, registry }
    }

    /// A metric that only grows.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.register(IntCounter::with_opts(self.opts(name, help)))
    }

    /// One for each set of values of these labels.
    pub fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, Error> {
        self.register(IntCounterVec::new(self.opts(name, help), labels))
    }

    /// One for each of these values of a label, from the start on, so that a first count is seen as a
    /// change.
    pub fn counters_of(
        &self,
        (name, help): (&str, &str),
        label: &str,
        values: impl IntoIterator<Item = &'static str>,
    ) -> Result<IntCounterVec, Error> {
        let counters = self.counters(name, help, &[label])?;
        for value in values {
            counters.with_label_values(&[value]);
        }
        Ok(counters)
    }

    /// A metric that may fall.
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.register(IntGauge::with_opts(self.opts(name, help)))
    }

    /// One for each set of values of these labels.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.register(IntGaugeVec::new(self.opts(name, help), labels))
    }

    /// How a metric of this part is called.
    pub fn opts(&self, name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace("baseflow").subsystem(self.part)
    }

    /// Registers a metric that was made, and gives it back.
    pub fn register<C: Collector + Clone + 'static>(
        &self,
        made: Result<C, Error>,
    ) -> Result<C, Error> {
        let metric = made?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

/// Reads the kernel's account of this process whenever it is asked.
struct Process {
    memory: IntGauge,
    files: IntGauge,
    processor: Counter,
}

impl Process {
    fn new() -> Result<Self, Error> {
        Ok(Self {
            memory: IntGauge::new("process_resident_memory_bytes", "Resident memory in bytes")?,
            files: IntGauge::new("process_open_fds", "Open file descriptors")?,
            processor: Counter::new(
                "process_cpu_seconds_total",
                "User and system processor time in seconds",
            )?,
        })
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        let (memory, files) = (self.memory.desc(), self.files.desc());
        memory.into_iter().chain(files).chain(self.processor.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // where /proc cannot be read, the last value stands
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes);
        }
        if let Some(files) = open_files() {
            self.files.set(files);
        }
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        let spent = std::time::Duration::try_from(spent).unwrap_or_default();
        // the kernel's count never goes back, and a negative step would be passed over
        self.processor.inc_by((spent.as_secs_f64() - self.processor.get()).max(0.0));
        let (memory, files) = (self.memory.collect(), self.files.collect());
        memory.into_iter().chain(files).chain(self.processor.collect()).collect()
    }
}

fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn open_files() -> Option<i64> {
    // the one that lists the folder is not counted
    let files = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    i64::try_from(files).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_version_memory_and_files() {
        let registry = Registry::new();
        register(&registry, "1.2.3").unwrap();
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text.contains("baseflow_build_info{version=\"1.2.3\"} 1"), "{text}");
        for name in
            ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"]
        {
            let prefix = format!("{name} ");
            let value = text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap();
            assert!(value.parse::<f64>().unwrap() > 0.0, "{text}");
        }
    }
}
