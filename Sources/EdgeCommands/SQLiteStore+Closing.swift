import EdgeStore

extension SQLiteStore {
    /// Closes the file once `body` has ended, whether it gave a value or threw.
    func closing<Value: Sendable>(after body: () async throws -> Value) async throws -> Value {
        let value: Value
        do {
            value = try await body()
        } catch {
            try? close()
            throw error
        }
        try close()
        return value
    }
}
