package import Foundation

/// One live registered connection of a connector. Written by the edge that holds the link, gone when the link is.
package struct ConnectionRecord: Sendable, Equatable {
    /// The connection's own id, as told to the connector.
    package let id: UUID
    package let tunnelID: UUID
    /// The connector process; called client id in the account API.
    package let connectorID: UUID
    /// Number of the connection within its connector.
    package let index: Int
    /// Name of the place that serves it, as the connector and `tunnel list` show it.
    package let location: String
    /// Address of the connector as the edge sees it.
    package let originIP: String
    package let version: String
    package let architecture: String
    package let features: [String]
    package let openedAt: Date
    /// The edge process that holds the link.
    package let edgeID: UUID

    package init(
        id: UUID, tunnelID: UUID, connectorID: UUID, index: Int, location: String, originIP: String, version: String,
        architecture: String, features: [String], openedAt: Date, edgeID: UUID
    ) {
        self.id = id
        self.tunnelID = tunnelID
        self.connectorID = connectorID
        self.index = index
        self.location = location
        self.originIP = originIP
        self.version = version
        self.architecture = architecture
        self.features = features
        self.openedAt = openedAt
        self.edgeID = edgeID
    }
}

/// Asks every edge to close the links of a tunnel, or of one of its connectors. The connectors may come back.
package struct CleanupRequest: Sendable, Equatable {
    /// The store's version that this request made.
    package let version: Int
    package let tunnelID: UUID
    /// nil: all connectors.
    package let connectorID: UUID?

    package init(version: Int, tunnelID: UUID, connectorID: UUID?) {
        self.version = version
        self.tunnelID = tunnelID
        self.connectorID = connectorID
    }
}

/// The configuration a connector told the edge it runs with (`SendLocalConfiguration`), as JSON.
package struct StoredConfiguration: Sendable, Equatable {
    package let json: String
    package let updatedAt: Date

    package init(json: String, updatedAt: Date) {
        self.json = json
        self.updatedAt = updatedAt
    }
}
