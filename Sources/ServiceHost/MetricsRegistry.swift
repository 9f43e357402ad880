import Synchronization

/// A number that only grows. Cheap enough for every request on an event loop.
package final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    package var value: Int { count.load(ordering: .relaxed) }
    package func increment(by amount: Int = 1) { count.wrappingAdd(amount, ordering: .relaxed) }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
    private let level = Atomic<Int>(0)

    package var value: Int { level.load(ordering: .relaxed) }
    package func set(_ value: Int) { level.store(value, ordering: .relaxed) }
    package func increment(by amount: Int = 1) { level.wrappingAdd(amount, ordering: .relaxed) }
    package func decrement(by amount: Int = 1) { level.wrappingSubtract(amount, ordering: .relaxed) }
}

/// How often a measured value fell at or below each of some bounds.
package final class Histogram: Sendable {
    struct Snapshot {
        /// One count per bound, then one for the values above the last bound; not cumulative.
        var counts: [Int]
        var sum: Double
    }

    let bounds: [Double]
    private let state: Mutex<Snapshot>

    /// - Parameter bounds: upper bounds in the unit of the metric, ascending.
    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(Snapshot(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0))
    }

    package func observe(_ value: Double) {
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[index] += 1
            state.sum += value
        }
    }

    var snapshot: Snapshot { state.withLock { $0 } }
}

/// The series of one metric that differ by their label values, made when first used.
package final class LabelledMetrics<Metric: Sendable>: Sendable {
    /// Label values come from outside in part: beyond this many, all others share one series whose values read `other`.
    package static var maximumSeriesCount: Int { 256 }

    let labels: [String]
    private let series = Mutex<[[String]: Metric]>([:])
    private let make: @Sendable () -> Metric

    init(labels: [String], make: @escaping @Sendable () -> Metric) {
        self.labels = labels
        self.make = make
    }

    /// The series of these label values, in the order in which the labels were declared; missing ones read "".
    package subscript(values: String...) -> Metric {
        var key = Array(values.prefix(labels.count))
        while key.count < labels.count { key.append("") }
        return series.withLock { series in
            if let known = series[key] { return known }
            if series.count >= Self.maximumSeriesCount { key = labels.map { _ in "other" } }
            if let known = series[key] { return known }
            let metric = make()
            series[key] = metric
            return metric
        }
    }

    /// The series that exist whose first label has this value.
    func all(startingWith value: String) -> [Metric] {
        series.withLock { $0.filter { $0.key.first == value }.map(\.value) }
    }

    var snapshot: [(values: [String], metric: Metric)] {
        series.withLock { $0.map { ($0.key, $0.value) } }
            .sorted { $0.values.lexicographicallyPrecedes($1.values) }
    }
}

/// All metrics of a process, in the order in which they were declared. Made once at start and handed to whoever counts.
package final class MetricsRegistry: Sendable {
    enum Family: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        case counters(LabelledMetrics<Counter>)
        case gauges(LabelledMetrics<Gauge>)
        /// Values looked up at each scrape.
        case measured(isCounter: Bool, @Sendable () -> Double?)
    }

    struct Entry: Sendable {
        var name: String
        var help: String
        var family: Family
    }

    private let entries = Mutex<[Entry]>([])

    package init() {}

    package func counter(_ name: String, _ help: String) -> Counter {
        let counter = Counter()
        add(name, help, .counter(counter))
        return counter
    }

    package func gauge(_ name: String, _ help: String) -> Gauge {
        let gauge = Gauge()
        add(name, help, .gauge(gauge))
        return gauge
    }

    package func histogram(_ name: String, _ help: String, bounds: [Double]) -> Histogram {
        let histogram = Histogram(bounds: bounds)
        add(name, help, .histogram(histogram))
        return histogram
    }

    package func counters(_ name: String, _ help: String, labels: String...) -> LabelledMetrics<Counter> {
        let family = LabelledMetrics(labels: labels) { Counter() }
        add(name, help, .counters(family))
        return family
    }

    package func gauges(_ name: String, _ help: String, labels: String...) -> LabelledMetrics<Gauge> {
        let family = LabelledMetrics(labels: labels) { Gauge() }
        add(name, help, .gauges(family))
        return family
    }

    /// A value that is looked up when somebody reads the metrics; nil leaves it out.
    package func measured(
        _ name: String, _ help: String, isCounter: Bool = false, _ value: @escaping @Sendable () -> Double?
    ) {
        add(name, help, .measured(isCounter: isCounter, value))
    }

    /// The whole set in Prometheus text format 0.0.4.
    package var text: String {
        var text = ""
        for entry in entries.withLock({ $0 }) { text += MetricsText.text(of: entry) }
        return text
    }

    private func add(_ name: String, _ help: String, _ family: Family) {
        entries.withLock { $0.append(Entry(name: name, help: help, family: family)) }
    }
}
