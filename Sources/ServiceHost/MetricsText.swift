/// Prometheus text format 0.0.4.
enum MetricsText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    static func text(of entry: MetricsRegistry.Entry) -> String {
        let samples: [String]
        let type: String
        switch entry.family {
        case .counter(let counter):
            (type, samples) = ("counter", [sample(entry.name, [], "\(counter.value)")])
        case .gauge(let gauge):
            (type, samples) = ("gauge", [sample(entry.name, [], "\(gauge.value)")])
        case .histogram(let histogram):
            (type, samples) = ("histogram", lines(of: histogram, named: entry.name))
        case .counters(let family):
            type = "counter"
            samples = family.snapshot.map {
                sample(entry.name, Array(zip(family.labels, $0.values)), "\($0.metric.value)")
            }
        case .gauges(let family):
            type = "gauge"
            samples = family.snapshot.map {
                sample(entry.name, Array(zip(family.labels, $0.values)), "\($0.metric.value)")
            }
        case .measured(let isCounter, let value):
            type = isCounter ? "counter" : "gauge"
            samples = value().map { [sample(entry.name, [], number($0))] } ?? []
        }
        // A labelled family appears after its first use, as with the official client.
        guard !samples.isEmpty else { return "" }
        return "# HELP \(entry.name) \(entry.help)\n# TYPE \(entry.name) \(type)\n" + samples.joined()
    }

    private static func lines(of histogram: Histogram, named name: String) -> [String] {
        let snapshot = histogram.snapshot
        var lines: [String] = []
        var total = 0
        for (bound, count) in zip(histogram.bounds, snapshot.counts) {
            total += count
            lines.append(sample("\(name)_bucket", [("le", number(bound))], "\(total)"))
        }
        total += snapshot.counts.last ?? 0
        lines.append(sample("\(name)_bucket", [("le", "+Inf")], "\(total)"))
        lines.append(sample("\(name)_sum", [], number(snapshot.sum)))
        lines.append(sample("\(name)_count", [], "\(total)"))
        return lines
    }

    private static func sample(_ name: String, _ labels: [(String, String)], _ value: String) -> String {
        guard !labels.isEmpty else { return "\(name) \(value)\n" }
        let list = labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",")
        return "\(name){\(list)} \(value)\n"
    }

    private static func number(_ value: Double) -> String {
        if let whole = Int(exactly: value) { return "\(whole)" }
        return "\(value)"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
