//go:build peer

// Package telegraf pins the version of Telegraf that the benchmark row `edge_poll` compares with.
package telegraf

import _ "github.com/influxdata/telegraf/cmd/telegraf"
