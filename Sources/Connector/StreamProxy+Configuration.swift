import Foundation
package import Logging
package import ServiceHost

extension StreamProxy {
    /// For the rules and bounds of one connector.
    package init(configuration: ConnectorConfiguration, metrics: ConnectorMetrics, logger: Logger) {
        var settings = Settings()
        settings.tags = [("ID", configuration.connectorID.uuidString.lowercased())] + configuration.tags
        settings.maximumStreams = configuration.maximumStreams
        let routes = configuration.routes
        self.init(routes: { routes }, settings: settings, metrics: metrics, logger: logger)
    }
}
