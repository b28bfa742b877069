// Words of the API that may grow, in English; what is not here is shown as it is.

export const sections: Record<string, string> = { dam: "below the dam", tail: "tailwater" };
export const qualities: Record<string, string> = { good: "good", suspect: "suspect", bad: "bad", estimated: "estimated" };
export const quantities: Record<string, string> = {
  flow: "flow",
  level: "level",
  volume: "volume",
  velocity: "velocity",
  power: "power",
  energy: "energy",
  opening: "opening",
  opening_share: "opening share",
  depth: "depth",
  voltage: "voltage",
  current: "current",
  frequency: "frequency",
  temperature: "temperature",
  humidity: "humidity",
  pressure: "pressure",
  wind_speed: "wind speed",
  wind_direction: "wind direction",
  rain: "rain",
  visibility: "visibility",
  radiation: "radiation",
  ph: "pH",
  do: "dissolved oxygen",
  conductivity: "conductivity",
  turbidity: "turbidity",
  codmn: "CODMn",
  nh3n: "ammonia nitrogen",
  tp: "total phosphorus",
  tn: "total nitrogen",
  free_chlorine: "free chlorine",
  so2: "SO₂",
  no2: "NO₂",
  nox: "NOx",
  co: "CO",
  o3: "O₃",
  pm10: "PM10",
  pm2_5: "PM2.5",
  tsp: "TSP",
  soil_moisture: "soil moisture",
  signal: "signal",
  state: "state",
};
export const occasions: Record<string, string> = { raised: "raised", reminder: "reminder", over: "over" };
export const steps: Record<string, string> = {
  pending: "Condition began",
  raised: "Raised",
  acknowledged: "Taken on",
  cleared: "Cleared",
  withdrawn: "Withdrawn",
  superseded: "Superseded",
};
export const gapCauses: Record<string, string> = { defect: "data came but cannot be used", lost: "data lost", queued: "to be sent later", unread: "gateway off, or not reading", offline: "gateway offline", before: "before records begin", unknown: "cause not known" };
export const reasons: Record<string, string> = {
  timeout: "no answer from the device",
  unreachable: "no connection to the device",
  malformed: "malformed answer",
  mismatched: "answer to another request",
  short: "too few registers",
  not_a_number: "not a number",
  invalid_bcd: "invalid BCD",
  overflow: "overflow",
  back_off: "not polled, since the device did not answer",
  range: "out of range",
  clock: "clock not trusted",
  overwritten: "overwritten, spool full",
  disk_full: "gateway disk full",
  damaged: "spool damaged",
  suspect: "suspect",
  bad: "bad",
  estimated: "estimated",
};
export const because: Record<string, string> = { enough: "enough released", below: "too little released", excused: "excused", too_little_known: "too little known", doubted: "readings out of range" };
export const statistics: Record<string, string> = { hourly_mean: "hourly mean", daily_mean: "daily mean", instantaneous: "instantaneous", below_for: "below for" };
/** Names that operators give channels, where they say what the channel is. */
export const channels: Record<string, string> = { sms: "SMS", voice: "call", email: "email" };
