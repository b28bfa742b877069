//! What every process tells of itself: its version, memory, processor time and open files.

use prometheus::{
    Counter, IntGauge, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::time::{ClockId, clock_gettime};

/// Registers `baseflow_build_info` and the usual `process_…` metrics.
pub fn register(registry: &Registry, version: &str) -> Result<(), prometheus::Error> {
    let help = "1, labelled with the version of the binary";
    let build = IntGaugeVec::new(Opts::new("baseflow_build_info", help), &["version"])?;
    build.with_label_values(&[version]).set(1);
    registry.register(Box::new(build))?;
    registry.register(Box::new(Process::new()?))
}

/// Reads the kernel's account of this process whenever it is asked.
struct Process {
    memory: IntGauge,
    files: IntGauge,
    processor: Counter,
}

impl Process {
    fn new() -> Result<Self, prometheus::Error> {
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
