/// One server of a service (RFC 2782).
package struct ServiceRecord: Sendable, Hashable {
    /// The name of the server, without the dot at its end.
    package var target: String
    package var port: Int
    /// The lowest comes first.
    package var priority: Int
    /// The share among those of equal priority.
    package var weight: Int

    package init(target: String, port: Int, priority: Int = 0, weight: Int = 0) {
        self.target = target
        self.port = port
        self.priority = priority
        self.weight = weight
    }

    /// The order in which to try them: by priority, and by lot among equals, where weight makes an early place likely.
    package static func ordered(
        _ records: [ServiceRecord], using random: inout some RandomNumberGenerator
    ) -> [ServiceRecord] {
        var rest = records
        var result: [ServiceRecord] = []
        while let first = rest.map(\.priority).min() {
            let candidates = rest.indices.filter { rest[$0].priority == first }
            // One more than the weight, so that a weight of zero has a chance too.
            var lot = Int.random(in: 0..<candidates.reduce(0) { $0 + rest[$1].weight + 1 }, using: &random)
            let chosen = candidates.first { index in
                lot -= rest[index].weight + 1
                return lot < 0
            }
            result.append(rest.remove(at: chosen ?? candidates[0]))
        }
        return result
    }
}
