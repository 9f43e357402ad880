import EdgeStore
import Foundation
import TunnelConfig

/// The conformers that every promise of `ClusterStore` is tried on.
enum StoreKind: CaseIterable {
    case memory, sqlite

    func withStore(_ body: (any ClusterStore) async throws -> Void) async throws {
        switch self {
        case .memory:
            try await body(MemoryStore(account: .sample))
        case .sqlite:
            try await withTemporaryDirectory { path in
                let store = try SQLiteStore(path: "\(path)/edge.sqlite")
                try await store.create(.sample)
                try await body(store)
                try store.close()
            }
        }
    }
}

func withTemporaryDirectory(_ body: (String) async throws -> Void) async throws {
    let path = "/tmp/edge-store-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
}

extension Account {
    static let sample = Account(
        id: "0123456789abcdef0123456789abcdef", zoneID: "fedcba9876543210fedcba9876543210", zone: "site.test",
        team: "acme", tokenHash: Account.hash(token: "token".utf8),
        createdAt: Date(timeIntervalSince1970: 1_790_000_000))
}

extension Date {
    /// Seconds after an arbitrary start.
    static func at(_ seconds: Double) -> Date { Date(timeIntervalSince1970: 1_800_000_000 + seconds) }
}

extension TunnelRecord {
    static func sample(_ name: String, at seconds: Double = 0) -> TunnelRecord {
        TunnelRecord(
            id: UUID(), name: name, accountTag: Account.sample.id,
            secret: TunnelSecret((0..<32).map { UInt8($0) }), createdAt: .at(seconds))
    }
}

extension ConnectionRecord {
    static func sample(
        _ tunnel: TunnelRecord, connector: UUID = UUID(), index: Int = 0, edge: UUID = UUID()
    ) -> ConnectionRecord {
        ConnectionRecord(
            id: UUID(), tunnelID: tunnel.id, connectorID: connector, index: index, location: "edge01",
            originIP: "192.0.2.1", version: "2026.8.2", architecture: "linux_amd64", features: ["a", "b"],
            openedAt: .at(Double(index)), edgeID: edge)
    }
}

/// The code of the `StoreError` that `body` throws; nil when it throws none.
func storeErrorCode(_ body: () async throws -> Void) async -> StoreError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? StoreError)?.code
    }
}
