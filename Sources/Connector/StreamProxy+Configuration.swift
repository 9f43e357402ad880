import Foundation
import Logging
import ServiceHost

extension StreamProxy {
    /// For one connector: its bounds, and the rules and tags as they are when a stream arrives.
    init(
        configuration: ConnectorConfiguration, current: CurrentConfiguration, metrics: ConnectorMetrics, logger: Logger
    ) {
        var settings = Settings()
        settings.maximumStreams = configuration.maximumStreams
        let own = [(name: "ID", value: configuration.connectorID.uuidString.lowercased())]
        self.init(
            routes: { current.now.routes }, tags: { own + current.now.tags }, settings: settings, metrics: metrics,
            logger: logger)
    }
}
