/// When the connector counts as started: `--ready-policy`.
package enum ReadyPolicy: String, Sendable, CaseIterable {
    /// With the first connection to the edge, as the official client.
    case first
    /// With more than half of the connections.
    case quorum
    /// With the process: what depends on the service does not wait for the network.
    case process

    /// How many connections it takes.
    func connections(of wanted: Int) -> Int {
        switch self {
        case .process: 0
        case .first: 1
        case .quorum: wanted / 2 + 1
        }
    }
}
