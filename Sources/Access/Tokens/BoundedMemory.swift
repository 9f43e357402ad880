/// Remembers within a bound: when it is full, what was not asked for lately is forgotten, all at once.
package struct BoundedMemory<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let limit: Int
    private var recent: [Key: Value] = [:]
    private var former: [Key: Value] = [:]

    /// - Parameter limit: it never holds more than twice as many.
    package init(limit: Int) {
        self.limit = limit
    }

    package subscript(key: Key) -> Value? {
        mutating get {
            if let value = recent[key] { return value }
            guard let value = former.removeValue(forKey: key) else { return nil }
            keep(value, key)
            return value
        }
        set {
            former[key] = nil
            if let newValue { keep(newValue, key) } else { recent[key] = nil }
        }
    }

    package mutating func removeAll() {
        recent = [:]
        former = [:]
    }

    private mutating func keep(_ value: Value, _ key: Key) {
        if recent.count >= limit, recent[key] == nil {
            former = recent
            recent = [:]
        }
        recent[key] = value
    }
}
