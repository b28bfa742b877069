//! Which requests read a device's registers: as few as its limits allow, and how long they take.

pub mod printed;

use std::{ops::Range, time::Duration};

use crate::{
    config::{Device, Line, Parity, Serial},
    register::{Register, Table},
};

/// What a device gives in one answer, and what may be read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Words in one answer; no register may be wider.
    pub words: u16,
    /// Coils or discrete inputs in one answer.
    pub bits: u16,
    /// The longest run of addresses that no register names and that may yet be read.
    pub gap: u16,
}

/// One read of neighbouring addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Of which table, hence with which function.
    pub table: Table,
    /// The first address.
    pub address: u16,
    /// How many words or coils, at least 1.
    pub count: u16,
    /// The registers whole inside it, as indices into those planned for.
    pub registers: Vec<usize>,
}

/// How long a device is assumed to think before it answers: the slow end of what is usual on a
/// serial line, and by TCP.
const TURNAROUND_SERIAL: Duration = Duration::from_millis(45);
const TURNAROUND_TCP: Duration = Duration::from_millis(20);

impl Limits {
    /// Those of a device.
    pub const fn of(device: &Device) -> Self {
        Self { words: device.max_registers, bits: device.max_bits, gap: device.max_gap }
    }

    /// How many addresses of a table come in one answer.
    pub const fn longest(self, table: Table) -> u16 {
        if table.has_bits() { self.bits } else { self.words }
    }
}

/// The fewest requests that read each register once and whole, by table and address.
///
/// From the lowest register not yet read, a request reaches as far as the limits let it and takes
/// every register that ends within; starting it earlier or ending it sooner could only lose some.
pub fn plan(registers: &[Register], limits: Limits) -> Vec<Request> {
    let mut requests = Vec::new();
    for table in [Table::Coil, Table::Discrete, Table::Holding, Table::Input] {
        let of_table = registers.iter().enumerate().filter(|(_, register)| register.table == table);
        let mut left: Vec<_> = of_table.map(|(index, register)| (span(register), index)).collect();
        left.sort_by_key(|(span, index)| (span.start, span.end, *index));
        let clusters = clusters(&left, limits.gap);
        while let Some((first, _)) = left.first() {
            let start = first.start;
            let cluster = clusters.iter().find(|cluster| cluster.contains(&start));
            let end = cluster.map_or(first.end, |cluster| cluster.end);
            let reach = end.min(start + u32::from(limits.longest(table))).max(first.end);
            let (taken, rest) = left.into_iter().partition(|(span, _)| span.end <= reach);
            requests.push(request(table, start, taken));
            left = rest;
        }
    }
    requests
}

/// What to ask in place of a request that the device refuses as a whole: first its runs of
/// addresses that registers name, without the gaps between them; one without gaps in halves, so
/// that few requests are left around an address that is wrong. None where there is one register.
///
/// A device that lacks one address refuses every read over it: whatever else was read along would
/// have no value either.
pub fn pieces(whole: &Request, registers: &[Register]) -> Vec<Request> {
    let named = whole.registers.iter().filter_map(|index| Some((registers.get(*index)?, *index)));
    let mut spans: Vec<_> = named.map(|(register, index)| (span(register), index)).collect();
    spans.sort_by_key(|(span, index)| (span.start, span.end, *index));
    let runs = clusters(&spans, 0);
    let parts: Vec<Vec<_>> = if runs.len() > 1 {
        let of_run = |run: &Range<u32>| {
            let within = spans.iter().filter(|(span, _)| run.contains(&span.start));
            within.cloned().collect()
        };
        runs.iter().map(of_run).collect()
    } else {
        let upper = spans.split_off(spans.len() / 2);
        vec![spans, upper]
    };
    if parts.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let start = |part: &Vec<(Range<u32>, usize)>| part.first().map_or(0, |(span, _)| span.start);
    parts.into_iter().map(|part| request(whole.table, start(&part), part)).collect()
}

/// How long one request and its answer take on an otherwise idle line.
///
/// On a serial line: 8 characters there and 5 + data back, a silence of 3.5 characters after each
/// (MODBUS over serial line V1.02, 2.5), and 45 ms of thought. Behind a serial server the line is
/// taken to run at 9,600 baud. By TCP: 20 ms.
pub fn transaction(line: &Line, request: &Request) -> Duration {
    match line {
        Line::Tcp(_) => TURNAROUND_TCP,
        Line::Serial(serial) => on_wire(serial, request),
        Line::RtuOverTcp(_) => {
            let path = std::path::PathBuf::new();
            let guess =
                Serial { path, baud: 9_600, parity: Parity::None, data_bits: 8, stop_bits: 1 };
            on_wire(&guess, request)
        }
    }
}

fn on_wire(serial: &Serial, request: &Request) -> Duration {
    let count = u32::from(request.count);
    let data = if request.table.has_bits() { count.div_ceil(8) } else { 2 * count };
    serial.characters(8 + 5 + data) + 2 * serial.frame_gap() + TURNAROUND_SERIAL
}

/// The addresses of a register; its end may be 65536.
fn span(register: &Register) -> Range<u32> {
    let start = u32::from(register.address);
    start..start + u32::from(register.kind.width())
}

/// The stretches of addresses that hold no longer gap.
fn clusters(sorted: &[(Range<u32>, usize)], longest_gap: u16) -> Vec<Range<u32>> {
    let mut clusters: Vec<Range<u32>> = Vec::new();
    for (span, _) in sorted {
        match clusters.last_mut() {
            Some(last) if span.start <= last.end + u32::from(longest_gap) => {
                last.end = last.end.max(span.end);
            }
            Some(_) | None => clusters.push(span.clone()),
        }
    }
    clusters
}

fn request(table: Table, start: u32, taken: Vec<(Range<u32>, usize)>) -> Request {
    let end = taken.iter().map(|(span, _)| span.end).max().unwrap_or(start);
    let narrow = |wide: u32| u16::try_from(wide).unwrap_or(u16::MAX);
    let mut registers: Vec<_> = taken.into_iter().map(|(_, index)| index).collect();
    registers.sort_unstable();
    Request { table, address: narrow(start), count: narrow(end - start), registers }
}

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::{Expect, expect};
    use model::quantity::Decimal;
    use proptest::prelude::*;

    use super::*;
    use crate::register::{Kind, Order, Scaling};

    /// A register that is only a place and a type.
    pub(crate) fn register(source: usize, table: Table, address: u16, kind: Kind) -> Register {
        let one = Decimal { units: 1, decimals: 0 };
        Register {
            source,
            gauge: format!("BF-1/r{source}").parse().unwrap(),
            table,
            address,
            kind,
            order: Order::Big,
            scale: one,
            offset: Decimal::ZERO,
            decimals: 0,
            asked_decimals: None,
            unit: "1".into(),
            alert_below: None,
            scaling: Scaling::new(one, Decimal::ZERO, 0).unwrap(),
        }
    }

    /// Plans registers written as `i100f32 h7u16 c3` and shows each request.
    fn check(limits: [u16; 3], registers: &str, expected: &Expect) {
        let registers: Vec<_> = registers.split_whitespace().enumerate().map(parse).collect();
        let [words, bits, gap] = limits;
        let requests = plan(&registers, Limits { words, bits, gap });
        let shown = requests.iter().map(|request| {
            let Request { table, address, count, registers } = request;
            format!("{} {address}+{count} {registers:?}", table.name())
        });
        expected.assert_eq(&shown.collect::<Vec<_>>().join("\n"));
    }

    fn parse((index, text): (usize, &str)) -> Register {
        let (table, rest) = text.split_at(1);
        let table = match table {
            "c" => Table::Coil,
            "d" => Table::Discrete,
            "h" => Table::Holding,
            "i" => Table::Input,
            other => panic!("{other}"),
        };
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (address, kind) = rest.split_at(end);
        let kind = match kind {
            "" => Kind::Bool,
            "u16" => Kind::U16,
            "f32" => Kind::F32,
            "f64" => Kind::F64,
            other => panic!("{other}"),
        };
        register(index, table, address.parse().unwrap(), kind)
    }

    #[test]
    fn neighbours_share_a_request_and_tables_do_not() {
        check(
            [120, 2000, 8],
            "i100f32 i102f32 h102u16 i110u16 c3 c7 d3",
            &expect![[r#"
            coil 3+5 [4, 5]
            discrete 3+1 [6]
            holding 102+1 [2]
            input 100+11 [0, 1, 3]"#]],
        );
    }

    #[test]
    fn a_gap_is_read_along_up_to_its_limit_and_never_where_it_is_zero() {
        check(
            [120, 2000, 8],
            "i0u16 i9u16 i19u16",
            &expect![[r#"
            input 0+10 [0, 1]
            input 19+1 [2]"#]],
        );
        check(
            [120, 2000, 0],
            "i0u16 i1u16 i3u16",
            &expect![[r#"
            input 0+2 [0, 1]
            input 3+1 [2]"#]],
        );
    }

    #[test]
    fn a_register_is_never_split_at_the_largest_answer() {
        check(
            [4, 2000, 8],
            "i0u16 i1f32 i3f32 i5u16",
            &expect![[r#"
            input 0+3 [0, 1]
            input 3+3 [2, 3]"#]],
        );
        check(
            [4, 2000, 8],
            "i0u16 i1f64 i2u16",
            &expect![[r#"
            input 0+3 [0, 2]
            input 1+4 [1]"#]],
        );
    }

    /// Plans registers, then shows the pieces of each request, and the pieces of those.
    fn check_pieces(registers: &str, expected: &Expect) {
        let registers: Vec<_> = registers.split_whitespace().enumerate().map(parse).collect();
        let mut shown = Vec::new();
        let mut show = |depth: usize, request: &Request| {
            let Request { table, address, count, registers } = request;
            let name = table.name();
            shown.push(format!("{}{name} {address}+{count} {registers:?}", "  ".repeat(depth)));
        };
        for whole in plan(&registers, Limits { words: 120, bits: 2_000, gap: 8 }) {
            show(0, &whole);
            for run in pieces(&whole, &registers) {
                show(1, &run);
                for smaller in pieces(&run, &registers) {
                    show(2, &smaller);
                }
            }
        }
        expected.assert_eq(&shown.join("\n"));
    }

    #[test]
    fn a_request_that_is_refused_falls_apart_at_its_gaps_and_then_in_halves() {
        check_pieces(
            "i100f32 i102u16 i110u16 i111u16 i113f32",
            &expect![[r#"
            input 100+15 [0, 1, 2, 3, 4]
              input 100+3 [0, 1]
                input 100+2 [0]
                input 102+1 [1]
              input 110+2 [2, 3]
                input 110+1 [2]
                input 111+1 [3]
              input 113+2 [4]"#]],
        );
        check_pieces(
            "h0u16 h1u16 h1f32 h9u16",
            &expect![[r#"
            holding 0+10 [0, 1, 2, 3]
              holding 0+3 [0, 1, 2]
                holding 0+1 [0]
                holding 1+2 [1, 2]
              holding 9+1 [3]"#]],
        );
        check_pieces(
            "c3 c7",
            &expect![[r#"
            coil 3+5 [0, 1]
              coil 3+1 [0]
              coil 7+1 [1]"#]],
        );
        check_pieces("i7f64", &expect!["input 7+4 [0]"]);
    }

    #[test]
    fn the_last_address_can_be_read() {
        check(
            [120, 2000, 8],
            "i65532f64 c65535",
            &expect![[r#"
            coil 65535+1 [1]
            input 65532+4 [0]"#]],
        );
    }

    #[test]
    fn a_transaction_takes_what_the_line_needs() {
        let serial: Line = "rtu:///dev/x?baud=9600&parity=even".parse().unwrap();
        let request = Request { table: Table::Input, address: 0, count: 12, registers: Vec::new() };
        // 37 characters of 11 bits, 7 of silence, 45 ms of thought
        assert_eq!(transaction(&serial, &request).as_millis(), 42 + 8 + 45);
        let fast: Line = "tcp://h".parse().unwrap();
        assert_eq!(transaction(&fast, &request).as_millis(), 20);
    }

    fn some_registers() -> impl Strategy<Value = Vec<Register>> {
        let kinds = prop_oneof![Just(Kind::U16), Just(Kind::F32), Just(Kind::F64)];
        let word = (prop_oneof![Just(Table::Holding), Just(Table::Input)], 0_u16..40, kinds);
        let bit = (Just(Table::Coil), 0_u16..40, Just(Kind::Bool));
        let numbered = |all: Vec<(Table, u16, Kind)>| {
            let each = all.into_iter().enumerate();
            each.map(|(i, (table, address, kind))| register(i, table, address, kind)).collect()
        };
        prop::collection::vec(prop_oneof![4 => word, 1 => bit], 0..=12).prop_map(numbered)
    }

    /// Whether one request could read exactly these addresses, given what else is declared.
    fn is_allowed(whole: &Range<u32>, table: Table, all: &[Register], limits: Limits) -> bool {
        let declared =
            |address: u32| all.iter().any(|r| r.table == table && span(r).contains(&address));
        let mut run = 0;
        for address in whole.clone() {
            run = if declared(address) { 0 } else { run + 1 };
            if run > u32::from(limits.gap) {
                return false;
            }
        }
        whole.end - whole.start <= u32::from(limits.longest(table))
    }

    /// The least number of groups that can each be read by one request, by trying all.
    fn fewest(all: &[Register], limits: Limits) -> usize {
        let group_is_allowed = |mask: usize| {
            let group: Vec<_> = all
                .iter()
                .enumerate()
                .filter(|(i, _)| mask >> i & 1 == 1)
                .map(|(_, r)| r)
                .collect();
            let table = group[0].table;
            let start = group.iter().map(|r| span(r).start).min().unwrap();
            let end = group.iter().map(|r| span(r).end).max().unwrap();
            group.iter().all(|r| r.table == table) && is_allowed(&(start..end), table, all, limits)
        };
        let allowed: Vec<bool> =
            (0..1_usize << all.len()).map(|mask| mask == 0 || group_is_allowed(mask)).collect();
        let mut best = vec![0; allowed.len()];
        for mask in 1..allowed.len() {
            let lowest = mask & mask.wrapping_neg();
            let mut group = mask;
            best[mask] = usize::MAX;
            while group > 0 {
                if group & lowest != 0 && allowed[group] {
                    best[mask] = best[mask].min(1 + best[mask & !group]);
                }
                group = (group - 1) & mask;
            }
        }
        best[allowed.len() - 1]
    }

    proptest! {
        #[test]
        fn each_register_is_read_once_and_whole_within_the_limits(
            registers in some_registers(), words in 4_u16..12, bits in 1_u16..9, gap in 0_u16..4,
        ) {
            let limits = Limits { words, bits, gap };
            let requests = plan(&registers, limits);
            let mut read: Vec<_> = requests.iter().flat_map(|r| r.registers.clone()).collect();
            read.sort_unstable();
            prop_assert_eq!(read, (0..registers.len()).collect::<Vec<_>>());
            for request in &requests {
                let whole = u32::from(request.address)..u32::from(request.address + request.count);
                prop_assert!(is_allowed(&whole, request.table, &registers, limits));
                for register in request.registers.iter().map(|i| &registers[*i]) {
                    prop_assert_eq!(register.table, request.table);
                    let own = span(register);
                    prop_assert!(whole.start <= own.start && own.end <= whole.end);
                }
            }
        }

        #[test]
        fn pieces_read_what_the_whole_read_and_nothing_that_nobody_asked_for(
            registers in some_registers(), gap in 0_u16..4,
        ) {
            let limits = Limits { words: 12, bits: 9, gap };
            for whole in plan(&registers, limits) {
                let mut open = pieces(&whole, &registers);
                prop_assert_eq!(open.is_empty(), whole.registers.len() == 1);
                let read = |requests: &[Request]| {
                    let mut read: Vec<_> =
                        requests.iter().flat_map(|r| r.registers.clone()).collect();
                    read.sort_unstable();
                    read
                };
                if !open.is_empty() {
                    prop_assert_eq!(read(&open), read(std::slice::from_ref(&whole)));
                }
                let mut alone = 0;
                while let Some(piece) = open.pop() {
                    let read = u32::from(piece.address)..u32::from(piece.address + piece.count);
                    let no_gap = Limits { gap: 0, ..limits };
                    let is_asked_for = is_allowed(&read, piece.table, &registers, no_gap);
                    prop_assert!(is_asked_for);
                    let smaller = pieces(&piece, &registers);
                    prop_assert_eq!(smaller.is_empty(), piece.registers.len() == 1);
                    alone += usize::from(smaller.is_empty());
                    open.extend(smaller);
                }
                prop_assert!(whole.registers.len() == 1 || alone == whole.registers.len());
            }
        }

        #[test]
        fn no_plan_has_fewer_requests(
            registers in some_registers(), words in 4_u16..12, bits in 1_u16..9, gap in 0_u16..4,
        ) {
            let limits = Limits { words, bits, gap };
            prop_assert_eq!(plan(&registers, limits).len(), fewest(&registers, limits));
        }
    }
}
