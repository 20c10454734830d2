package record

// For the tests outside of the package.
var WaitsForKernel = waitsForKernel
