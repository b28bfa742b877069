// Words of the API that may grow, in Chinese; what is not here is shown as it is.

export const sections: Record<string, string> = { dam: "坝下", tail: "尾水" };
export const qualities: Record<string, string> = { good: "正常", suspect: "可疑", bad: "无效", estimated: "估计" };
export const quantities: Record<string, string> = {
  flow: "流量",
  level: "水位",
  volume: "水量",
  velocity: "流速",
  power: "功率",
  energy: "电量",
  opening: "开度",
  opening_share: "开度比",
  depth: "埋深",
  voltage: "电压",
  current: "电流",
  frequency: "频率",
  temperature: "温度",
  humidity: "湿度",
  pressure: "气压",
  wind_speed: "风速",
  wind_direction: "风向",
  rain: "雨量",
  visibility: "能见度",
  radiation: "辐射",
  ph: "pH",
  do: "溶解氧",
  conductivity: "电导率",
  turbidity: "浊度",
  codmn: "高锰酸盐指数",
  nh3n: "氨氮",
  tp: "总磷",
  tn: "总氮",
  free_chlorine: "游离氯",
  so2: "二氧化硫",
  no2: "二氧化氮",
  nox: "氮氧化物",
  co: "一氧化碳",
  o3: "臭氧",
  pm10: "PM10",
  pm2_5: "PM2.5",
  tsp: "总悬浮颗粒物",
  soil_moisture: "土壤含水率",
  signal: "信号质量",
  state: "状态",
};
export const occasions: Record<string, string> = { raised: "触发", reminder: "提醒", over: "结束" };
export const steps: Record<string, string> = {
  pending: "条件出现",
  raised: "触发",
  acknowledged: "确认",
  cleared: "恢复",
  withdrawn: "撤销",
  superseded: "由新告警接替",
};
export const gapCauses: Record<string, string> = {
  defect: "有数据但不可用",
  lost: "数据丢失",
  queued: "待补传",
  unread: "网关停机或未采集",
  offline: "网关离线",
  before: "尚无记录",
  unknown: "原因不明",
};
export const reasons: Record<string, string> = {
  timeout: "设备无应答",
  unreachable: "无法连接设备",
  malformed: "报文错误",
  mismatched: "应答不符",
  short: "寄存器不足",
  not_a_number: "非数值",
  invalid_bcd: "BCD 码错误",
  overflow: "数值溢出",
  back_off: "设备无应答，暂停轮询",
  range: "超出量程",
  clock: "时钟不准",
  overwritten: "网关缓存已满，旧数据被覆盖",
  disk_full: "网关磁盘已满",
  damaged: "网关缓存损坏",
  suspect: "可疑",
  bad: "无效",
  estimated: "估计",
};
export const because: Record<string, string> = {
  enough: "下泄足够",
  below: "下泄不足",
  excused: "批准免考",
  too_little_known: "有效数据不足",
  doubted: "读数超出量程，存疑",
};
export const statistics: Record<string, string> = {
  hourly_mean: "小时均值",
  daily_mean: "日均值",
  instantaneous: "瞬时值",
  below_for: "持续低于",
};
/** Names that operators give channels, where they say what the channel is. */
export const channels: Record<string, string> = { sms: "短信", voice: "电话", email: "邮件" };
