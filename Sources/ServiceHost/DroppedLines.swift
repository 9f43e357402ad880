/// Log lines of this process that their outputs did not take in time, whichever output it was.
enum DroppedLines {
    static let count = Counter()
}
