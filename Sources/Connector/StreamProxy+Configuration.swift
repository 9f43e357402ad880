import Access
import Foundation
import Logging
import ServiceHost

extension StreamProxy {
    /// For one connector: its bounds, and the rules and tags as they are when a stream arrives.
    init(
        configuration: ConnectorConfiguration, current: CurrentConfiguration, asides: Asides,
        metrics: ConnectorMetrics, logger: Logger
    ) {
        var settings = Settings()
        settings.maximumStreams = configuration.maximumStreams
        let own = [(name: "ID", value: configuration.connectorID.uuidString.lowercased())]
        self.init(
            routes: { current.now.routes }, tags: { own + current.now.tags }, settings: settings,
            // A self-hosted edge and its team domain have one authority.
            assertions: AssertionVerifier(authorityFiles: [configuration.edgeCAFile].compactMap(\.self)),
            asides: asides, metrics: metrics, logger: logger)
    }
}
