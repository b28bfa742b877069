// What pages say, in Chinese: the language that is written first. English has the type of this (`en.ts`).

import type { AlarmState, MessageState, Severity } from "../api/alarm.ts";
import type { State, VerdictWord } from "../api/station.ts";
import type { SpanWord } from "../route.ts";

const states: Record<State, string> = {
  breach: "未达标",
  stale: "数据中断",
  near: "临界",
  exempt: "免考",
  ok: "达标",
  out_of_service: "退出运行",
};

const verdicts: Record<VerdictWord, string> = {
  met: "达标",
  short: "未达标",
  exempt: "免考",
  indeterminate: "数据不足",
};

const alarmStates: Record<AlarmState, string> = {
  unacknowledged: "进行中·未确认",
  cleared_unacknowledged: "已恢复·未确认",
  acknowledged: "进行中·已确认",
  pending: "待触发",
  shelved: "已搁置",
  suppressed: "已抑制",
  out_of_service: "退出服务",
  normal: "已结束",
};

const severities: Record<Severity, string> = { red: "红色", orange: "橙色", yellow: "黄色", blue: "蓝色" };

const messageStates: Record<MessageState, string> = {
  owed: "待发送",
  sent: "已发出",
  delivered: "已送达",
  failed: "发送失败",
  expired: "已过期",
};

const spans: Record<SpanWord, string> = { "24h": "24 小时", "7d": "7 天", "30d": "30 天", "1y": "1 年" };

/** Words of the API that may grow; what is not here is shown as it is. */
const sections: Record<string, string> = { dam: "坝下", tail: "尾水" };
const qualities: Record<string, string> = { good: "正常", suspect: "可疑", bad: "无效", estimated: "估计" };
const quantities: Record<string, string> = { flow: "流量", level: "水位", volume: "水量", power: "功率", temperature: "温度" };
const occasions: Record<string, string> = { raised: "触发", reminder: "提醒", over: "结束" };
const steps: Record<string, string> = {
  pending: "条件出现",
  raised: "触发",
  acknowledged: "确认",
  cleared: "恢复",
  withdrawn: "撤销",
  superseded: "由新告警接替",
};
const gapCauses: Record<string, string> = {
  defect: "有数据但不可用",
  lost: "数据丢失",
  queued: "待补传",
  unknown: "原因不明",
};
const reasons: Record<string, string> = {
  timeout: "应答超时",
  unreachable: "无法连接",
  malformed: "报文错误",
  mismatched: "应答不符",
  short: "寄存器不足",
  not_a_number: "非数值",
  invalid_bcd: "BCD 码错误",
  overflow: "数值溢出",
  back_off: "设备无应答，暂停轮询",
  range: "超出量程",
  clock: "时钟不准",
  overwritten: "缓存已满被覆盖",
  disk_full: "网关磁盘已满",
  damaged: "缓存损坏",
  suspect: "可疑",
  bad: "无效",
  estimated: "估计",
};
const because: Record<string, string> = {
  enough: "下泄足够",
  below: "下泄不足",
  excused: "批准免考",
  too_little_known: "有效数据不足",
};
const statistics: Record<string, string> = {
  hourly_mean: "小时均值",
  daily_mean: "日均值",
  instantaneous: "瞬时值",
  below_for: "持续低于",
};

export const zh = {
  code: "zh-CN",
  other: "English",
  name: "基流",
  title: "水电站生态基流监管",
  states,
  verdicts,
  alarmStates,
  severities,
  messageStates,
  spans,
  sections,
  qualities,
  quantities,
  occasions,
  steps,
  gapCauses,
  reasons,
  because,
  statistics,

  nav: { label: "主导航", skip: "跳到正文", overview: "实时总览", alarms: "告警台", outbox: "通知", wall: "大屏", logOut: "退出登录" },
  theme: { label: "外观", auto: "跟随系统", light: "浅色", dark: "深色" },

  link: {
    live: "实时",
    opening: "正在连接",
    stale: "连接中断",
    staleBand: (at: string) => `画面数据已停止更新，数据截至 ${at}，正在重新连接`,
    neverBand: "尚未收到实时数据，正在重新连接",
    asOf: (at: string) => `数据截至 ${at}`,
  },

  load: {
    loading: "正在加载",
    failed: "未能加载",
    since: (at: string) => `自 ${at} 起`,
    again: "重试",
    unreachable: "服务器没有应答，请检查网络",
    unreadable: "服务器的应答无法识别，页面可能已过期，请刷新",
    forbidden: "当前账号没有查看权限",
    missing: "没有找到",
    crashed: "页面出错",
    crashedHelp: "此页面遇到意外错误，数据没有受到影响。请刷新；如再次出现，请将下面一行告诉管理员。",
    reload: "刷新页面",
  },

  overview: {
    heading: "实时总览",
    metRate: "今日达标率",
    metRateOf: (met: number, assessed: number) => `${String(assessed)} 个断面中 ${String(met)} 个达标`,
    metRateMeans: "按当前时刻计，今日达标断面占已有结论断面的比例，只舍不入",
    runningRate: "设施运行率",
    runningRateOf: (running: number, all: number) => `${String(all)} 个在役断面中 ${String(running)} 个数据正常`,
    runningRateMeans: "在役断面中数据未中断的比例，只舍不入",
    undetermined: (count: number) => `另有 ${String(count)} 个数据不足或免考`,
    none: "—",
    filterBy: "按状态筛选",
    rivers: "河系示意图",
    riversHint: "自源头至河口排列",
    noRiver: "未标明河流",
    stationsOf: (count: number) => `${String(count)} 站`,
    list: "电站列表",
    search: "查找电站、河流或编号",
    all: "全部",
    resort: "重新排序",
    empty: "还没有电站",
    emptyHelp: "用 baseflow registry import 导入台账后，电站会出现在这里。",
    nothingFound: "没有符合条件的电站",
    clear: "清除筛选",
    more: (count: number) => `显示更多，其余 ${String(count)} 站`,
    openAlarms: "未处理告警",
    announce: (name: string) => `${name} 新出现未达标`,
    columns: { state: "状态", station: "电站", river: "河流", released: "下泄", required: "核定", share: "占比", at: "测于" },
    unit: "m³/s",
    unjudged: "未评价",
    lower: "至少",
    moreSections: (count: number) => `共 ${String(count)} 个断面`,
  },

  station: {
    up: "上游",
    down: "下游",
    section: "断面",
    released: "下泄流量",
    required: "核定流量",
    share: "占核定",
    todaySoFar: "今日至此",
    completeness: "数据完整率",
    online: "在线率",
    measured: "测于",
    document: "核定文件",
    noMandate: "无核定流量",
    noData: "无数据",
    flow: "流量过程",
    span: "时间范围",
    chartOf: (from: string, to: string) => `${from} 至 ${to} 的下泄流量过程线`,
    chartHelp: "左右方向键移动读数，拖动选择放大，双击还原",
    legend: { mean: "均值", band: "最小—最大", required: "核定", breach: "低于核定", gap: "缺测", exempt: "免考" },
    readout: { mean: "均值", range: "范围", required: "核定" },
    table: "数据表",
    tableFrom: "起",
    tableMean: "均值",
    tableLow: "最小",
    tableHigh: "最大",
    tableRequired: "核定",
    tableRemark: "备注",
    tableCut: (shown: number, all: number) => `仅列最近 ${String(shown)} 行，共 ${String(all)} 行；缩短时间范围可列全`,
    breaches: "低于核定的时段",
    gaps: "缺测时段",
    lowest: "最低",
    deficit: "欠泄",
    noBreaches: "此时段内没有低于核定",
    noGaps: "此时段内没有缺测",
    leftOff: (count: number) => `另有 ${String(count)} 个较短时段未列出`,
    noSeries: "此断面暂无过程线",
    noSeriesExited: "电站已退出运行，不再推算下泄流量",
    noSeriesFormula: "此断面的下泄量由公式推算，暂不能给出过程线",
    strip: "逐日判定",
    stripHint: "近 13 个月，点击某日查看算式",
    stripDay: (day: string, verdict: string) => `${day} ${verdict}`,
    stripOpen: "未结束",
    stripNone: "无判定",
    monthOf: (year: number, month: number) => `${String(year)} 年 ${String(month)} 月`,
    day: (day: string) => `${day} 的判定`,
    dayNone: "这一天没有判定",
    provisional: "暂定，当日未结束",
    version: (version: number) => `第 ${String(version)} 版`,
    late: "补传数据后重新判定",
    arithmetic: "算式",
    observedIs: (observed: string) => `下泄 ${observed}`,
    observedIsAtLeast: (observed: string) => `下泄至少 ${observed}`,
    neededIs: (enough: string) => `要求 ${enough} m³/s`,
    enoughIs: (required: string, factor: string) => `（核定 ${required} × 系数 ${factor}）`,
    coverage: "有效覆盖",
    hoursOf: "各小时",
    hourCounts: (met: number, short: number, exempt: number, unknown: number) =>
      `达标 ${String(met)}，未达标 ${String(short)}，免考 ${String(exempt)}，数据不足 ${String(unknown)}`,
    rule: "评价规则",
    statistic: "评价指标",
    entry: "日志条目",
    judgedAt: "判定时间",
    gauges: "测点",
    gauge: { id: "测点", quantity: "量", value: "最新值", at: "测于", quality: "质量" },
    noGauges: "台账中没有测点",
    facts: "基本信息",
    fact: { id: "编号", river: "河流", county: "区划代码", owner: "业主", phone: "电话", status: "状态", agent: "采集终端", zone: "时区" },
    statuses: { retained: "保留", rectifying: "整改", exited: "退出" } as Record<string, string>,
    unknown: "台账中没有这个电站",
  },

  actors: { contact: "联系人", user: "用户", token: "接口令牌", command: "命令行", server: "服务器" } as Record<string, string>,

  alarms: {
    heading: "告警台",
    tabs: { open: "未结束", history: "历史" },
    take: "确认",
    taking: "正在确认",
    takeLabel: (what: string) => `确认：${what}`,
    taken: (who: string, at: string) => `${at} 由 ${who} 确认`,
    asked: "已记入日志，正在生效",
    conflict: "未能确认：已有他人先行处理，或告警已变化。列表已更新。",
    forbidden: "未能确认：需要值班权限",
    failed: "未能确认，请重试",
    done: (what: string) => `已确认：${what}`,
    none: "没有未结束的告警",
    noneHelp: "所有电站都按核定下泄，且数据正常。",
    noneHistory: "没有已结束的告警",
    keys: "方向键选择告警，按 A 键或确认按钮确认，回车键查看经过",
    columns: { severity: "级别", state: "状态", what: "内容", began: "开始", lasting: "持续", who: "受理", act: "操作" },
    below: (released: string, required: string) => `触发时下泄 ${released} < 核定 ${required} m³/s`,
    recoveredTo: (released: string, required: string) => `结束时下泄 ${released}，核定 ${required} m³/s`,
    ends: {
      recovered: "已恢复",
      rule_withdrawn: "告警规则已撤销",
      station_left: "不再监测：电站已退出",
      not_covered: "不再监测：规则不再适用",
      removed: "不再监测：测点或断面已撤销",
      mandate_removed: "不再监测：核定流量已撤销",
      underived: "不再监测：流量改由公式推算",
    } as Record<string, string>,
    belowUnknown: "下泄低于核定",
    silent: (gauge: string) => `测点 ${gauge} 无数据`,
    drill: "演练",
    drillTag: "【演练】",
    chattering: "反复",
    chatteringHelp: "一小时内第三次触发；不再逐次通知，恢复满一小时后才结束",
    details: "经过",
    noTimeline: "没有记录",
    detected: (at: string) => `${at} 发现`,
    messages: "查看通知",
    more: "更早的告警",
    countOf: (count: number) => `共 ${String(count)} 条`,
  },

  outbox: {
    heading: "通知",
    hint: "发给值班人员的每一条消息，最新的在前",
    ofAlarm: "只显示一条告警的通知",
    all: "显示全部",
    none: "还没有发出过通知",
    noneHelp: "告警触发后，发给值班人员的消息会出现在这里。",
    columns: { state: "状态", recipient: "收件人", channel: "渠道", occasion: "事由", text: "内容", owed: "应发", sent: "发出", ended: "送达或终止" },
    attempts: (count: number) => `第 ${String(count)} 次`,
    more: "更早的通知",
  },

  wall: {
    heading: "生态基流监管",
    worst: "需要处理",
    nothing: "当前没有未达标或中断",
    more: (count: number) => `另有 ${String(count)} 站`,
    unacknowledged: "未确认告警",
    leave: "返回",
  },

  login: {
    heading: "登录",
    user: "用户名",
    password: "密码",
    submit: "登录",
    busy: "正在登录",
    wrong: "用户名或密码不正确",
    tooMany: "尝试次数过多，请稍后再试",
    needed: "请输入用户名和密码",
    help: "账号由管理员用 baseflow user add 建立。",
  },

  missingPage: { heading: "没有这个页面", back: "返回实时总览" },

  lasting: (days: number, hours: number, minutes: number) =>
    days > 0 ? `${String(days)} 天 ${String(hours)} 小时` : hours > 0 ? `${String(hours)} 小时 ${String(minutes)} 分` : `${String(minutes)} 分钟`,
  percent: (value: string) => `${value}%`,
  separator: "，",
};

/** Every language has each of these, with the same places to fill. */
export type Texts = typeof zh;
