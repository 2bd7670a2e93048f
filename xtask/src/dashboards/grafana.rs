//! A source in Grafana's words: dashboard schema 42, that of Grafana 12.

use serde_json::{Value, json};

use super::source::{Dashboard, Kind, Panel, Variable};

const SCHEMA_VERSION: u32 = 42;
const COLUMNS: u32 = 24;
const HEIGHT: u32 = 8;
const STAT_HEIGHT: u32 = 4;

pub fn dashboard(source: &Dashboard) -> Value {
    json!({
        "uid": source.uid,
        "title": source.title,
        "description": source.description,
        "tags": ["hippius"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": "now-1h", "to": "now" },
        "timezone": "browser",
        "templating": { "list": variables(&source.variables) },
        "annotations": { "list": [] },
        "links": [{
            "title": "Hippius", "type": "dashboards", "tags": ["hippius"], "asDropdown": true, "icon": "external link",
            "tooltip": "The other dashboards", "url": "", "includeVars": true, "keepTime": true, "targetBlank": false,
        }],
        "panels": panels(source),
    })
}

/// The data source can be chosen, so that the dashboards can be imported into any Grafana.
fn variables(of_source: &[Variable]) -> Vec<Value> {
    let data_source = json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
        "refresh": 1, "hide": 0, "multi": false, "includeAll": false, "skipUrlSync": false, "regex": "", "options": [],
    });
    std::iter::once(data_source).chain(of_source.iter().map(query_variable)).collect()
}

fn query_variable(variable: &Variable) -> Value {
    json!({
        "name": variable.name, "label": variable.label, "type": "query", "datasource": prometheus(),
        "query": { "query": variable.query, "refId": "Variable" },
        // When the time range changes: accounts come and go.
        "refresh": 2, "sort": 1, "hide": 0, "multi": true, "includeAll": true, "skipUrlSync": false, "regex": "",
        // Matches series without the label too, which a list of all values would not, and stays short.
        "allValue": ".*",
        "current": { "text": ["All"], "value": ["$__all"] }, "options": [],
    })
}

fn prometheus() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn panels(source: &Dashboard) -> Vec<Value> {
    let mut grid = Grid::default();
    let mut panels = Vec::new();
    for row in &source.rows {
        let position = grid.line(1);
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": row.title, "collapsed": false, "panels": [],
            "gridPos": position,
        }));
        for source in &row.panels {
            let height = if source.kind == Kind::Stat { STAT_HEIGHT } else { HEIGHT };
            let position = grid.place(source.width, height);
            panels.push(panel(panels.len() + 1, source, position));
        }
    }
    panels
}

fn panel(id: usize, source: &Panel, position: Value) -> Value {
    let (kind, custom, options) = match source.kind {
        Kind::Timeseries => ("timeseries", lines(source.stack), chart_options()),
        Kind::Stat => ("stat", json!({}), stat_options(source)),
        Kind::Table => ("table", json!({}), json!({ "showHeader": true, "cellHeight": "sm" })),
    };
    let mut panel = json!({
        "id": id, "type": kind, "title": source.title, "description": source.description,
        "datasource": prometheus(), "gridPos": position,
        "fieldConfig": {
            "defaults": { "unit": source.unit, "custom": custom, "thresholds": limits(source) },
            "overrides": [],
        },
        "options": options,
        "targets": targets(source),
    });
    if source.kind == Kind::Table {
        // A table of the labels and the number, without the time that all rows share, the largest first.
        panel["transformations"] = json!([
            { "id": "organize", "options": { "excludeByName": { "Time": true } } },
            { "id": "sortBy", "options": { "sort": [{ "field": "Value", "desc": true }] } },
        ]);
    }
    panel
}

fn targets(source: &Panel) -> Vec<Value> {
    let now = source.kind != Kind::Timeseries;
    let format = if source.kind == Kind::Table { "table" } else { "time_series" };
    let target = |(letter, query): (char, &super::source::Query)| {
        json!({
            "refId": letter.to_string(), "datasource": prometheus(), "expr": query.expr.trim(),
            "legendFormat": query.legend, "editorMode": "code", "format": format, "instant": now, "range": !now,
        })
    };
    ('A'..='Z').zip(&source.queries).map(target).collect()
}

fn lines(stacked: bool) -> Value {
    let (mode, fill) = if stacked { ("normal", 40) } else { ("none", 10) };
    json!({
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": fill, "showPoints": "never", "spanNulls": false,
        "stacking": { "mode": mode, "group": "A" },
    })
}

fn chart_options() -> Value {
    json!({
        "legend": { "displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": ["lastNotNull", "max"] },
        "tooltip": { "mode": "multi", "sort": "desc" },
    })
}

fn stat_options(source: &Panel) -> Value {
    let color = if source.limits.is_some() { "background" } else { "value" };
    json!({
        "colorMode": color, "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto",
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
    })
}

fn limits(source: &Panel) -> Value {
    let mut steps = vec![json!({ "color": "green", "value": null })];
    if let Some([yellow, red]) = source.limits {
        steps.push(json!({ "color": "yellow", "value": yellow }));
        steps.push(json!({ "color": "red", "value": red }));
    }
    json!({ "mode": "absolute", "steps": steps })
}

/// Where the next panel goes.
#[derive(Default)]
struct Grid {
    x: u32,
    y: u32,
    /// Height of the line that is being filled.
    height: u32,
}

impl Grid {
    fn place(&mut self, width: u32, height: u32) -> Value {
        if self.x + width > COLUMNS {
            self.line(0);
        }
        let position = json!({ "x": self.x, "y": self.y, "w": width, "h": height });
        self.x += width;
        self.height = self.height.max(height);
        position
    }

    /// Ends the line; a heading of this height follows over all columns.
    fn line(&mut self, height: u32) -> Value {
        self.y += self.height;
        let position = json!({ "x": 0, "y": self.y, "w": COLUMNS, "h": height });
        self.y += height;
        (self.x, self.height) = (0, 0);
        position
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    #[test]
    fn panels_fill_lines_and_never_overlap() {
        let mut grid = Grid::default();
        let mut places = vec![grid.line(1)];
        places.extend([(12, 8), (12, 4), (18, 8)].map(|(width, height)| grid.place(width, height)));
        places.push(grid.line(1));
        let corners: Vec<_> = places.iter().map(|place| (place["x"].as_u64(), place["y"].as_u64())).collect();
        let wanted = [(0, 0), (0, 1), (12, 1), (0, 9), (0, 17)].map(|(x, y)| (Some(x), Some(y)));
        assert_eq!(corners, wanted);
    }
}
